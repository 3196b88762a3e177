// @ts-check
// What views are put together from.
export * from "./charts.js";
export * from "./clamp.js";
export * from "./copy.js";
export * from "./cut-list.js";
export * from "./day-chart.js";
export * from "./dialog.js";
export * from "./form.js";
export * from "./json-tree.js";
export * from "./lane-bins.js";
export * from "./layout.js";
export * from "./markdown.js";
export * from "./marks.js";
export * from "./names-field.js";
export * from "./rows-in-sight.js";
export * from "./selection.js";
import "./session-line.js";
export * from "./snippets.js";
export * from "./tabs.js";
export * from "./task-line.js";
export * from "./usage.js";
export * from "./view.js";
import "./virtual-list.js";
