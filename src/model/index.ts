export type { ModelConfig, RopeScaling } from "./config.js"
export { configFromGguf, configFromHuggingFace, configFromLlama2c, configFromMeta } from "./config.js"
export { inverseFrequencies, rotations } from "./rope.js"
export { forward, type Batch, type Block, type Model } from "./llama.js"
export { KvCache, SequenceCache } from "./kv-cache.js"
export {
  layoutOf,
  loadModel,
  sourcesOf,
  type Layout,
  type LoadWeightsOptions,
  type Source,
} from "./checkpoint.js"
export {
  convertModel,
  frequencyDivisors,
  ggufMetadata,
  huggingFaceConfig,
  type ConvertOptions,
} from "./convert.js"
