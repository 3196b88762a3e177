// @ts-check
// What views and parts know the server by.
export * from "./access.js";
export * from "./alerts.js";
export * from "./api.js";
export * from "./insights.js";
export * from "./bulk.js";
export * from "./list.js";
export * from "./overview.js";
export * from "./renewal.js";
export * from "./store.js";
export * from "./task-events.js";
export * from "./time.js";
export * from "./timeline.js";
