// Text to token ids and back.
export type { DecodeOptions, StreamDecoder } from "./decoder.js"
export { exportGguf, exportTokenizerJson, type GgufTokenizer } from "./export.js"
export type { TiktokenOptions } from "./from-tiktoken.js"
export { llama3Pattern, llama3SpecialTokens } from "./llama3.js"
export type { TokenizerData } from "./model.js"
export { type EncodeOptions, Tokenizer } from "./tokenizer.js"
export {
  type PreTokenizer,
  preTokenizers,
  type TrainOptions,
  type VocabularyOptions,
  VocabularyTrainer,
} from "./training/vocabulary-trainer.js"
