// The public face of Cria.
export * from "./errors/index.js"
export type {
  AssistantMessage,
  Message,
  TextMessage,
  Tool,
  ToolCall,
  ToolFunction,
  ToolMessage,
} from "./chat/index.js"
export type { ConstraintOptions } from "./constraints/index.js"
export { type Answer, Generation } from "./engine/generation.js"
export type { LoadProgress, ModelInfo } from "./engine/link.js"
export type { ChatGenerateOptions } from "./engine/llama.js"
export { Llama } from "./engine/node-llama.js"
export type { LoadOptions } from "./engine/load-options.js"
export type { FinishReason, GenerateOptions, Piece, TokenLogprob, Usage } from "./engine/options.js"
export type { EngineStats } from "./engine/protocol.js"
export type { ModelConfig, RopeScaling } from "./model/config.js"
export type { WeightKind } from "./weights/kind.js"
