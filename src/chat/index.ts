// Conversations to prompts, and answers back to text and tool calls.
export * from "./chat.js"
export { renderTemplate } from "./jinja.js"
export type { TemplateLimits } from "./jinja-interpreter.js"
export type { BuiltinTool, Llama3Options } from "./llama3.js"
export { llama3Template } from "./llama3-template.js"
export type {
  AssistantMessage,
  Json,
  Message,
  TextMessage,
  TextPart,
  Tool,
  ToolCall,
  ToolFunction,
  ToolMessage,
} from "./messages.js"
export { checkMessages, checkTools, toolFunction } from "./messages.js"
export { type ChatTokenizer, encodeParts, type Part, partsToText } from "./parts.js"
export type { TemplateOptions } from "./template.js"
export { type ParsedTurn, parseToolCalls, type ToolCallOptions, type ToolProblem } from "./tool-calls.js"
export {
  type ForcedToolChoice,
  toolCallConstraint,
  toolCallSchema,
  type ToolSchemaOptions,
} from "./tool-schema.js"
export type { ToolCallDelta } from "./tool-call-deltas.js"
export { ToolCallStream, type ToolStreamState } from "./tool-stream.js"
