import { init } from "/docs/assets/redoc.js";

// ReDoc would report on its use to its makers, wherever this server is.
init("/openapi.json", { disableTelemetry: true }, document.getElementById("reference"));
