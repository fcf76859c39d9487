// The parsers and their inputs that need no file system; formats/node.ts has the rest.
export { blobSource, type ByteSource, memorySource } from "./byte-source.js"
export { type GgufFile, openGguf } from "./gguf.js"
export type { GgufArray, GgufScalarType, GgufValue } from "./gguf-values.js"
export { openLlama2c } from "./llama2c.js"
export { openPth } from "./pth.js"
export { openSafetensors, openShardedSafetensors } from "./safetensors.js"
export type { TensorEntry, TensorFile } from "./tensor-file.js"
