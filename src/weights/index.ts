export * from "./kind.js"
