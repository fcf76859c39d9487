export * from "./tensor.js"
