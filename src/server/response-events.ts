// Writes one response: pieces of the engine become output items, and every change an event with its number.
import type { ToolCall } from "../chat/index.js"
import { newId } from "../engine/api-values.js"
import type { FinishReason, Piece } from "../engine/options.js"
import { probabilities, UsageCount } from "./answers.js"
import type { OutputItem, OutputText, ResponseObject } from "./response-object.js"
import { responseUsage } from "./response-object.js"
import type { Work } from "./work.js"

export interface ResponseEvent {
  readonly type: string
  readonly sequence_number: number
  readonly [field: string]: unknown
}

export class ResponseWriter {
  response: ResponseObject
  readonly usage = new UsageCount()
  readonly #withLogprobs: boolean
  readonly #output: OutputItem[] = []
  #number = 0
  /** The message that is being written. */
  #message: { id: string; texts: string[]; logprobs: unknown[] } | undefined

  constructor(response: ResponseObject, withLogprobs: boolean) {
    this.response = response
    this.#withLogprobs = withLogprobs
  }

  /** The events from the first to the last; afterwards `response` is finished. Errors of `pieces` are thrown on. */
  async *events(pieces: AsyncIterable<Piece>, work: Work): AsyncGenerator<ResponseEvent, void, void> {
    let started = false
    const opening = () => [
      this.#event("response.created", { response: this.response }),
      this.#event("response.in_progress", { response: this.response }),
    ]
    let finish: FinishReason = "stop"
    let calls: readonly ToolCall[] = []
    for await (const piece of pieces) {
      if (!started) yield* opening() // not before the request is known to work
      started = true
      const logprob = this.#withLogprobs ? probabilities(work.llama.tokenizer, piece) : undefined
      if (piece.text !== "" || logprob) yield* this.#write(piece.text, logprob)
      if (piece.toolCalls) calls = piece.toolCalls
      if (piece.finishReason) finish = piece.finishReason
      this.usage.add(piece)
    }
    const status = finish === "length" ? "incomplete" : "completed"
    if (this.#message?.texts.length === 0 && calls.length > 0) this.#message = undefined
    if (this.#message || calls.length === 0) yield* this.#endMessage(status)
    for (const call of calls) yield* this.#call(call)
    this.response = {
      ...this.response,
      status,
      output: [...this.#output],
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      usage: responseUsage(this.usage),
    }
    yield this.#event(`response.${status}`, { response: this.response })
  }

  /** Ends the response by an error; what was written stays. */
  failed(message: string): ResponseEvent {
    const error = { code: "server_error", message }
    this.response = { ...this.response, status: "failed", output: [...this.#output], error }
    return this.#event("response.failed", { response: this.response })
  }

  *#write(text: string, logprob: unknown): Generator<ResponseEvent> {
    const message = this.#message ?? (yield* this.#openMessage())
    const logprobs = logprob ? [logprob] : []
    message.logprobs.push(...logprobs)
    if (text !== "") message.texts.push(text)
    yield this.#event("response.output_text.delta", { ...this.#place(message.id), delta: text, logprobs })
  }

  *#openMessage() {
    const message = { id: newId("msg_"), texts: [] as string[], logprobs: [] as unknown[] }
    this.#message = message
    yield this.#event("response.output_item.added", {
      output_index: this.#output.length,
      item: { id: message.id, type: "message", status: "in_progress", role: "assistant", content: [] },
    })
    const part: OutputText = { type: "output_text", text: "", annotations: [], logprobs: [] }
    yield this.#event("response.content_part.added", { ...this.#place(message.id), part })
    return message
  }

  *#endMessage(status: "completed" | "incomplete"): Generator<ResponseEvent> {
    const { id, texts, logprobs } = this.#message ?? (yield* this.#openMessage())
    const text = texts.join("")
    const part: OutputText = { type: "output_text", text, annotations: [], logprobs }
    yield this.#event("response.output_text.done", { ...this.#place(id), text, logprobs })
    yield this.#event("response.content_part.done", { ...this.#place(id), part })
    const item: OutputItem = { id, type: "message", status, role: "assistant", content: [part] }
    yield this.#event("response.output_item.done", { output_index: this.#output.length, item })
    this.#output.push(item)
  }

  *#call({ name, arguments: values }: ToolCall): Generator<ResponseEvent> {
    const output_index = this.#output.length
    const written = JSON.stringify(values)
    const item: OutputItem = {
      id: newId("fc_"),
      type: "function_call",
      status: "completed",
      call_id: newId("call_"),
      name,
      arguments: written,
    }
    const place = { item_id: item.id, output_index }
    yield this.#event("response.output_item.added", {
      output_index,
      item: { ...item, status: "in_progress", arguments: "" },
    })
    yield this.#event("response.function_call_arguments.delta", { ...place, delta: written })
    yield this.#event("response.function_call_arguments.done", { ...place, name, arguments: written })
    yield this.#event("response.output_item.done", { output_index, item })
    this.#output.push(item)
  }

  #place(item_id: string) {
    return { item_id, output_index: this.#output.length, content_index: 0 }
  }

  #event(type: string, fields: object): ResponseEvent {
    return { type, sequence_number: this.#number++, ...fields }
  }
}
