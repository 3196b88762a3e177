// @ts-check
// The views that few visits begin with: main.js has them read once the first one is shown, or sooner if
// they are wanted.
import "./events.js";
import "./insights.js";
import "./project.js";
import "./projects.js";
import "./settings.js";
import "./task.js";
import "./timeline.js";
