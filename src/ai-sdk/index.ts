// A provider for Vercel's AI SDK whose models run in this process, in Node and on pages.
export type { CriaOptions } from "./call-options.js"
export { createCria, type CriaProvider, type ModelSource } from "./provider.js"
