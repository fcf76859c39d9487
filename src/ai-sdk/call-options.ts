// From the settings of one call of the AI SDK to the options of a chat, and warnings for what has no meaning here.
import type { LanguageModelV3CallOptions, SharedV3Warning } from "@ai-sdk/provider"
import { type Message, toolCallConstraint, toolCallSchema, type ToolFunction } from "../chat/index.js"
import { seedOf, topPOf } from "../engine/api-values.js"
import type { ChatGenerateOptions } from "../engine/llama.js"
import { messagesOf } from "./prompt.js"

/** What `providerOptions.cria` takes: the options of `Llama.chat` that the SDK has no words for. */
export type CriaOptions = Omit<
  ChatGenerateOptions,
  "n" | "signal" | "tools" | "logprobs" | "stop" | "maxTokens" | "seed" | "temperature" | "topK" | "topP"
>

export interface ChatCall {
  readonly messages: Message[]
  readonly options: ChatGenerateOptions
  readonly warnings: SharedV3Warning[]
}

/** @throws UnsupportedError for files, InvalidOptionError for a choice of a tool that is not there. */
export function chatCall(call: LanguageModelV3CallOptions): ChatCall {
  const warnings: SharedV3Warning[] = []
  const messages = messagesOf(call.prompt, warnings)
  const choice = call.toolChoice?.type ?? "auto"
  const tools = choice === "none" ? [] : toolsOf(call.tools, choice === "auto", warnings)
  const settings: ChatGenerateOptions = {
    temperature: call.temperature,
    topP: call.topP === undefined ? undefined : topPOf(call.topP),
    topK: call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    seed: call.seed === undefined ? undefined : seedOf(call.seed),
    maxTokens: call.maxOutputTokens,
    stop: call.stopSequences,
    signal: call.abortSignal,
    constraint: constraintOf(call, tools),
    tools,
    n: 1,
  }
  // the SDK's own settings win over the same ones among the provider's, which are checked by the chat
  const set = Object.entries(settings).filter(([, value]) => value !== undefined)
  return { messages, options: { ...call.providerOptions?.["cria"], ...Object.fromEntries(set) }, warnings }
}

function toolsOf(
  tools: LanguageModelV3CallOptions["tools"] = [],
  free: boolean,
  warnings: SharedV3Warning[],
): ToolFunction[] {
  return tools.flatMap((tool): ToolFunction[] => {
    if (tool.type === "provider") {
      warnings.push({
        type: "unsupported",
        feature: `tool ${tool.id}`,
        details: "only functions can be called",
      })
      return []
    }
    const { name, description, inputSchema, inputExamples, strict } = tool
    if (inputExamples?.length)
      warnings.push({ type: "unsupported", feature: `inputExamples of tool ${name}`, details: "not shown" })
    if (strict && free)
      warnings.push({
        type: "compatibility",
        feature: `strict mode of tool ${name}`,
        details: 'inputs surely follow the schema where toolChoice is "required" or names a tool',
      })
    return [{ name, description, parameters: inputSchema as Record<string, unknown> }]
  })
}

/** What the answer has to be: a call where one is forced, else JSON where that is the format, else anything. */
function constraintOf(
  { toolChoice, responseFormat }: LanguageModelV3CallOptions,
  tools: readonly ToolFunction[],
): ChatGenerateOptions["constraint"] {
  if (toolChoice?.type === "required") return toolCallConstraint(tools, "required")
  if (toolChoice?.type === "tool") return toolCallConstraint(tools, { name: toolChoice.toolName })
  if (responseFormat?.type !== "json") return undefined
  const { schema } = responseFormat
  if (tools.length > 0) {
    const answer = (schema ?? { type: "object" }) as Record<string, unknown>
    return { type: "json_schema", schema: toolCallSchema(tools, { answer }) }
  }
  return schema === undefined ? { type: "json_object" } : { type: "json_schema", schema }
}
