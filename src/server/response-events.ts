// Writes one response: pieces of the engine become output items, and every change an event with its number.
import { newId } from "../engine/api-values.js"
import type { FinishReason, Piece } from "../engine/options.js"
import type { Tokenizer } from "../tokenizer/index.js"
import { probabilities, UsageCount } from "./answers.js"
import type { ItemStatus, OutputItem, OutputText, ResponseObject } from "./response-object.js"
import { responseUsage } from "./response-object.js"
import type { Work } from "./work.js"
import { type WrittenCall, WrittenCalls } from "./written-calls.js"

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
  readonly #calls = new WrittenCalls()
  #finish: FinishReason = "stop"
  #number = 0
  /** The message that is being written. */
  #message: { id: string; texts: string[]; logprobs: unknown[] } | undefined
  /** Probabilities of tokens that may yet turn out to be a call, which has none. */
  readonly #early: unknown[] = []
  /** The call that is being written, with the id of its item. */
  #call: (WrittenCall & { readonly item: string }) | undefined

  constructor(response: ResponseObject, withLogprobs: boolean) {
    this.response = response
    this.#withLogprobs = withLogprobs
  }

  /** The events of some pieces, the opening ones before the first. */
  write(pieces: readonly Piece[], { llama }: Work): ResponseEvent[] {
    const opening =
      this.#number > 0
        ? []
        : [
            this.#event("response.created", { response: this.response }),
            this.#event("response.in_progress", { response: this.response }),
          ]
    return [...opening, ...pieces.flatMap((piece) => [...this.#take(piece, llama.tokenizer)])]
  }

  /** The last events; `response` is finished then. */
  end(): ResponseEvent[] {
    return [...this.#end()]
  }

  *#take(piece: Piece, tokenizer: Tokenizer): Generator<ResponseEvent> {
    const calls = this.#calls
    for (const { index, id, arguments: part } of calls.add(piece)) {
      if (id !== undefined) yield* this.#openCall(calls.all[index])
      if (part !== "")
        yield this.#event("response.function_call_arguments.delta", { ...this.#callPlace(), delta: part })
    }
    const text = calls.textOf(piece)
    const logprob = this.#withLogprobs ? probabilities(tokenizer, piece) : undefined
    if (text !== "") yield* this.#endCall("completed")
    if (text !== "" || (logprob && this.#message)) yield* this.#write(text, logprob)
    else if (logprob && calls.all.length === 0) this.#early.push(logprob)
    if (piece.finishReason) {
      this.#finish = piece.finishReason
      yield* this.#endCall(calls.all.length > (piece.toolCalls ?? []).length ? "incomplete" : "completed")
    }
    this.usage.add(piece)
  }

  *#end(): Generator<ResponseEvent> {
    const status = this.#finish === "length" ? "incomplete" : "completed"
    if (this.#message || this.#output.length === 0) yield* this.#endMessage(status)
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
    const logprobs = [...this.#early.splice(0), ...(logprob ? [logprob] : [])]
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
    logprobs.push(...this.#early.splice(0))
    const text = texts.join("")
    const part: OutputText = { type: "output_text", text, annotations: [], logprobs }
    yield this.#event("response.output_text.done", { ...this.#place(id), text, logprobs })
    yield this.#event("response.content_part.done", { ...this.#place(id), part })
    const item: OutputItem = { id, type: "message", status, role: "assistant", content: [part] }
    yield this.#event("response.output_item.done", { output_index: this.#output.length, item })
    this.#output.push(item)
    this.#message = undefined
  }

  *#openCall(call: WrittenCall): Generator<ResponseEvent> {
    yield* this.#endCall("completed")
    if (this.#message) yield* this.#endMessage("completed")
    this.#call = { ...call, item: newId("fc_") }
    yield this.#event("response.output_item.added", {
      output_index: this.#output.length,
      item: this.#callItem(this.#call, "in_progress", ""),
    })
  }

  *#endCall(status: "completed" | "incomplete"): Generator<ResponseEvent> {
    if (!this.#call) return
    const { name, parts } = this.#call
    const written = parts.join("")
    const item = this.#callItem(this.#call, status, written)
    yield this.#event("response.function_call_arguments.done", {
      ...this.#callPlace(),
      name,
      arguments: written,
    })
    yield this.#event("response.output_item.done", { output_index: this.#output.length, item })
    this.#output.push(item)
    this.#call = undefined
  }

  #callItem(
    { item, id, name }: WrittenCall & { item: string },
    status: ItemStatus,
    written: string,
  ): OutputItem {
    return { id: item, type: "function_call", status, call_id: id, name, arguments: written }
  }

  #callPlace() {
    return { item_id: this.#call?.item, output_index: this.#output.length }
  }

  #place(item_id: string) {
    return { item_id, output_index: this.#output.length, content_index: 0 }
  }

  #event(type: string, fields: object): ResponseEvent {
    return { type, sequence_number: this.#number++, ...fields }
  }
}
