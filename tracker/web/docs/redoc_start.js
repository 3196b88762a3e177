import { init } from "./redoc.js";

// ReDoc would report on its use to its makers, wherever this server is.
init(new URL("../../openapi.json", import.meta.url).href, { disableTelemetry: true }, document.getElementById("reference"));
