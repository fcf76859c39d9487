// A chat model under the AI SDK's interface, specification v3: whole answers, and streams of parts.
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
  LanguageModelV3ToolCall,
  LanguageModelV3Usage,
  SharedV3Warning,
} from "@ai-sdk/provider"
import type { ToolCall, ToolCallDelta } from "../chat/index.js"
import { newId } from "../engine/api-values.js"
import type { Llama } from "../engine/llama.js"
import type { FinishReason, Piece, Usage } from "../engine/options.js"
import { chatCall } from "./call-options.js"

export class CriaLanguageModel implements LanguageModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = "cria"
  readonly supportedUrls = {}
  readonly #load: () => Promise<Llama>

  constructor(
    readonly modelId: string,
    load: () => Promise<Llama>,
  ) {
    this.#load = load
  }

  async doGenerate(call: LanguageModelV3CallOptions): Promise<LanguageModelV3GenerateResult> {
    const { messages, options, warnings } = chatCall(call)
    const llama = await this.#load()
    const [{ text, toolCalls = [], finishReason, usage }] = await llama.chat(messages, options).result()
    const content: LanguageModelV3Content[] = text === "" ? [] : [{ type: "text", text }]
    return {
      content: [...content, ...toolCalls.map(callPart)],
      finishReason: reasonOf(finishReason),
      usage: usageOf(usage),
      response: { id: newId("cria-"), timestamp: new Date(), modelId: this.modelId },
      warnings,
    }
  }

  async doStream(call: LanguageModelV3CallOptions): Promise<LanguageModelV3StreamResult> {
    const { messages, options, warnings } = chatCall(call)
    const llama = await this.#load()
    const left = new AbortController()
    const signal = call.abortSignal ? AbortSignal.any([call.abortSignal, left.signal]) : left.signal
    const pieces = llama.chat(messages, { ...options, signal })[Symbol.asyncIterator]()
    // what is wrong with the call rejects here, before a stream is returned
    const first = await pieces.next()
    const parts = this.#parts(first, pieces, warnings, signal)
    return {
      stream: new ReadableStream<LanguageModelV3StreamPart>({
        async pull(controller) {
          const { done, value } = await parts.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        async cancel(reason) {
          left.abort(reason)
          await pieces.return()
        },
      }),
    }
  }

  async *#parts(
    first: IteratorResult<Piece, void>,
    rest: AsyncGenerator<Piece, void, void>,
    warnings: SharedV3Warning[],
    signal: AbortSignal,
  ): AsyncGenerator<LanguageModelV3StreamPart, void, void> {
    yield { type: "stream-start", warnings }
    yield { type: "response-metadata", id: newId("cria-"), timestamp: new Date(), modelId: this.modelId }
    const id = "text-0"
    let writing = false
    const calls = new CallParts()
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        const { text: shown, toolCallDeltas = [], toolCalls = [], finishReason, usage } = next.value
        for (const delta of toolCallDeltas) yield* calls.parts(delta)
        // the text of a call that was begun but cannot be read to its end was written already
        const text = finishReason && calls.count > toolCalls.length ? "" : shown
        if (text !== "") {
          if (!writing) yield { type: "text-start", id }
          writing = true
          yield { type: "text-delta", id, delta: text }
        }
        if (!finishReason) continue
        if (writing) yield { type: "text-end", id }
        yield* calls.end()
        yield { type: "finish", finishReason: reasonOf(finishReason), usage: usageOf(usage) }
      }
    } catch (error) {
      if (signal.aborted) throw error
      yield { type: "error", error }
      yield { type: "finish", finishReason: { unified: "error", raw: undefined }, usage: usageOf(undefined) }
    }
  }
}

/** A call with an id of its own: the chat's are unique within one answer only. */
const callPart = ({ name, arguments: values }: ToolCall): LanguageModelV3ToolCall => ({
  type: "tool-call",
  toolCallId: newId("call_"),
  toolName: name,
  input: JSON.stringify(values),
})

/** The parts of the stream that the calls of one answer are. */
class CallParts {
  count = 0
  #open: { readonly id: string; readonly toolName: string; readonly inputs: string[] } | undefined;

  *parts({ name, arguments: delta }: ToolCallDelta): Generator<LanguageModelV3StreamPart> {
    if (name !== undefined) {
      yield* this.end()
      this.count++
      this.#open = { id: newId("call_"), toolName: name, inputs: [] }
      yield { type: "tool-input-start", id: this.#open.id, toolName: name }
    }
    if (!this.#open || delta === "") return
    this.#open.inputs.push(delta)
    yield { type: "tool-input-delta", id: this.#open.id, delta }
  }

  /** Ends the call that is being written; where the answer was cut off its input is no whole JSON, which the SDK reports. */
  *end(): Generator<LanguageModelV3StreamPart> {
    if (!this.#open) return
    const { id, toolName, inputs } = this.#open
    this.#open = undefined
    yield { type: "tool-input-end", id }
    yield { type: "tool-call", toolCallId: id, toolName, input: inputs.join("") }
  }
}

const unified = { stop: "stop", length: "length", toolCalls: "tool-calls" } as const

const reasonOf = (reason: FinishReason): LanguageModelV3FinishReason => ({
  unified: unified[reason],
  raw: reason,
})

function usageOf(usage: Usage | undefined): LanguageModelV3Usage {
  const { promptTokens, cachedTokens, completionTokens } = usage ?? {}
  return {
    inputTokens: {
      total: promptTokens,
      noCache: usage && usage.promptTokens - usage.cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens, reasoning: usage && 0 },
  }
}
