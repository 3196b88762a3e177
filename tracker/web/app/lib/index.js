// @ts-check
// What views and parts build with.
export * from "./dom.js";
export * from "./i18n.js";
export * from "./icons.js";
export * from "./lanes.js";
export * from "./prefs.js";
export * from "./router.js";
export * from "./throttle.js";
export * from "./ticks.js";
export * from "./tokens.js";
