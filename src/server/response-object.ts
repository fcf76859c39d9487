// The response object of /v1/responses, and the items it is made of.
import { newId } from "../engine/api-values.js"
import { seconds, type UsageCount } from "./answers.js"
import type { ResponseRequest } from "./responses-schema.js"

export interface OutputText {
  readonly type: "output_text"
  readonly text: string
  readonly annotations: readonly never[]
  readonly logprobs: readonly unknown[]
}

export type ItemStatus = "in_progress" | "completed" | "incomplete"

export type OutputItem =
  | {
      readonly type: "message"
      readonly id: string
      readonly status: ItemStatus
      readonly role: "assistant"
      readonly content: readonly OutputText[]
    }
  | {
      readonly type: "function_call"
      readonly id: string
      readonly status: ItemStatus
      readonly call_id: string
      readonly name: string
      readonly arguments: string
    }

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled"

export interface ResponseObject {
  readonly id: string
  readonly object: "response"
  readonly created_at: number
  readonly status: ResponseStatus
  readonly error: { readonly code: string; readonly message: string } | null
  readonly incomplete_details: { readonly reason: string } | null
  readonly output: readonly OutputItem[]
  readonly usage: object | null
  readonly background: boolean
  readonly [field: string]: unknown
}

/** A response at its beginning, with all that the request asked for written out. */
export const newResponse = (body: ResponseRequest): ResponseObject => ({
  id: newId("resp_"),
  object: "response",
  created_at: seconds(),
  status: "in_progress",
  background: body.background ?? false,
  error: null,
  incomplete_details: null,
  instructions: body.instructions ?? null,
  max_output_tokens: body.max_output_tokens ?? null,
  model: body.model,
  output: [],
  parallel_tool_calls: body.parallel_tool_calls ?? true,
  previous_response_id: body.previous_response_id ?? null,
  reasoning: { effort: null, summary: null },
  store: body.store ?? true,
  temperature: body.temperature ?? null,
  text: { format: body.text?.format ?? { type: "text" } },
  tool_choice: body.tool_choice ?? "auto",
  tools: body.tools ?? [],
  top_logprobs: body.top_logprobs ?? 0,
  top_p: body.top_p ?? null,
  truncation: body.truncation ?? "disabled",
  usage: null,
  user: body.user ?? null,
  metadata: body.metadata ?? {},
})

export const responseUsage = ({ promptTokens, cachedTokens, completionTokens }: UsageCount) => ({
  input_tokens: promptTokens,
  input_tokens_details: { cached_tokens: cachedTokens },
  output_tokens: completionTokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: promptTokens + completionTokens,
})
