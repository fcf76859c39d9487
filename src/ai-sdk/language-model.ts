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
import type { ToolCall } from "../chat/index.js"
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
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        const { text, toolCalls, finishReason, usage } = next.value
        if (text !== "") {
          if (!writing) yield { type: "text-start", id }
          writing = true
          yield { type: "text-delta", id, delta: text }
        }
        if (!finishReason) continue
        if (writing) yield { type: "text-end", id }
        for (const call of toolCalls ?? []) yield* callParts(callPart(call))
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

function* callParts(call: LanguageModelV3ToolCall): Generator<LanguageModelV3StreamPart> {
  const { toolCallId: id, toolName, input } = call
  yield { type: "tool-input-start", id, toolName }
  yield { type: "tool-input-delta", id, delta: input }
  yield { type: "tool-input-end", id }
  yield call
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
