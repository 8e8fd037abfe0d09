export * from "./preact.js";
export * from "./hooks.js";
export * from "./signals-core.js";
export * from "./signals.js";
export { default as htm } from "./htm.js";
