// What of formats/ needs a file system: kept out of index.ts, so that pages can bundle that one.
export type { Checkpoint, TokenizerSource } from "./checkpoint.js"
export { diskFolder, openCheckpoint } from "./disk-folder.js"
export { fileSource } from "./file-source.js"
export { type Produce, writeFileAtomically } from "./write-file.js"
export { writeGguf } from "./write-gguf.js"
export { type SafetensorsOptions, writeSafetensors } from "./write-safetensors.js"
