export * from "./ops.js"
export * from "./checks.js"
