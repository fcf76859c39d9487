// The face of Cria in browsers: that of the package, with models from servers, files and the browser's own storage.
export * from "../errors/index.js"
export type {
  AssistantMessage,
  Message,
  TextMessage,
  Tool,
  ToolCall,
  ToolFunction,
  ToolMessage,
} from "../chat/index.js"
export { type Answer, Generation } from "../engine/generation.js"
export type { LoadProgress, ModelInfo } from "../engine/link.js"
export type { ChatGenerateOptions } from "../engine/llama.js"
export type { FinishReason, GenerateOptions, Piece, TokenLogprob, Usage } from "../engine/options.js"
export type { EngineStats } from "../engine/protocol.js"
export type { ModelConfig, RopeScaling } from "../model/config.js"
export type { WeightKind } from "../weights/kind.js"
export { type BrowserLoadOptions as LoadOptions, Llama } from "./llama.js"
export type { ModelSource } from "./model-source.js"
export { type DownloadOptions, ModelStore, type StoredModel, type StoreOptions } from "./store.js"
