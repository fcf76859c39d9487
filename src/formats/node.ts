// What of formats/ needs a file system: kept out of index.ts, so that pages can bundle that one.
export { type Checkpoint, openCheckpoint, type TokenizerSource } from "./checkpoint.js"
export { fileSource } from "./file-source.js"
