export * from "./ops.js"
export * from "./checks.js"
export * from "./gradients.js"
export * from "./gradient-checks.js"
