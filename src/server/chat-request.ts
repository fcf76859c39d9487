// From a request of /v1/chat/completions to what the engine takes.
import type { Message } from "../chat/index.js"
import type { ChatGenerateOptions } from "../engine/llama.js"
import { samplingOptions, withoutUndefined } from "./answers.js"
import { badRequest } from "./api-error.js"
import { constraintFor, type Format, type FunctionTool, type ToolChoice } from "./constraints.js"
import type { ChatMessage, ChatRequest } from "./schemas.js"

export interface ChatTask {
  readonly messages: Message[]
  readonly options: ChatGenerateOptions
  /** More than one call may be returned. */
  readonly parallelCalls: boolean
}

/** @throws ApiError 400 with the parameter at fault. */
export function chatTask(body: ChatRequest): ChatTask {
  const tools = (body.tools ?? []).map(
    ({ function: { name, description, parameters } }): FunctionTool =>
      withoutUndefined({ name, description: description ?? undefined, parameters: parameters ?? undefined }),
  )
  const choice = choiceOf(body.tool_choice, tools)
  if (body.top_logprobs && !body.logprobs)
    throw badRequest("top_logprobs needs logprobs to be true", "top_logprobs")
  return {
    messages: body.messages.map(message),
    options: withoutUndefined({
      ...samplingOptions(body),
      logitBias: body.logit_bias ?? undefined,
      n: body.n ?? 1,
      stop: body.stop ?? undefined,
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
      logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
      tools: choice === "none" ? [] : tools.map((tool) => ({ type: "function" as const, function: tool })),
      constraint: constraintFor(
        formatOf(body.response_format),
        tools,
        choice,
        body.parallel_tool_calls === true,
      ),
    }),
    parallelCalls: body.parallel_tool_calls ?? true,
  }
}

/** `function` where chat wraps the name, the name itself where responses do not. */
export function choiceOf(
  wanted: string | { name?: unknown; function?: unknown } | null | undefined,
  tools: readonly FunctionTool[],
): ToolChoice {
  if (wanted == null) return tools.length > 0 ? "auto" : "none"
  if (typeof wanted === "string") return wanted as ToolChoice
  const { name } = (wanted.function ?? wanted) as { name: string }
  return { name }
}

function formatOf(format: ChatRequest["response_format"]): Format | undefined {
  if (format == null) return undefined
  return format.type === "json_schema" ? { type: "json_schema", schema: format.json_schema.schema } : format
}

function message(given: ChatMessage, index: number): Message {
  const place = `messages[${index}]`
  switch (given.role) {
    case "system":
    case "developer":
      return { role: "system", content: joined(given.content) }
    case "user":
      return { role: "user", content: joined(given.content) }
    case "tool":
      return { role: "tool", content: joined(given.content), toolCallId: given.tool_call_id }
    case "function":
      return { role: "tool", content: joined(given.content), name: given.name }
    case "assistant": {
      const calls =
        given.tool_calls ?? (given.function_call ? [{ id: "", function: given.function_call }] : [])
      const content = joined(given.content) || given.refusal || ""
      if (calls.length === 0) return { role: "assistant", content }
      return {
        role: "assistant",
        content,
        toolCalls: calls.map(({ id, function: { name, arguments: text } }, at) => ({
          id,
          name,
          arguments: parseArguments(text, `${place}.tool_calls[${at}].function.arguments`),
        })),
      }
    }
  }
}

export const joined = (content: string | readonly { readonly text: string }[] | null | undefined): string =>
  typeof content === "string" ? content : (content ?? []).map(({ text }) => text).join("")

/** The arguments of an earlier call, which the API writes as a text of JSON. */
export function parseArguments(text: string, place: string): Record<string, unknown> {
  let value: unknown
  try {
    value = text.trim() === "" ? {} : JSON.parse(text)
  } catch {
    throw badRequest(`${place}: must be an object as JSON text`, place)
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badRequest(`${place}: must be an object as JSON text`, place)
  return value as Record<string, unknown>
}
