// What of formats/ needs a file system: kept out of index.ts, so that pages can bundle that one.
export { fileSource } from "./file-source.js"
