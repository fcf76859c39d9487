// Training data: from files to examples to token records in an order that can be resumed.
export type {
  ChatExample,
  ExampleKind,
  ExampleOf,
  Place,
  PreferenceExample,
  PromptExample,
  TextExample,
} from "./example.js"
export { Mixture, type MixtureCursor, type MixtureRecord, type MixtureSource } from "./mixture.js"
export { permutation } from "./permutation.js"
export { type RecordStore, recordsInMemory, type TokenRecord, type TokenSequence } from "./record.js"
export { TokenCache, writeTokenCache } from "./token-cache.js"
export { type DataFile, dataFiles, readExamples, type ReadOptions } from "./read-examples.js"
export {
  groupOf,
  type GroupReport,
  vocabularyFromFiles,
  type VocabularyJob,
  writeTokenizerFiles,
} from "./vocabulary.js"
