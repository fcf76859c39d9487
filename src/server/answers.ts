// What all kinds of answers share: sampling options, several generations as one stream of pieces, usage.
import { seedOf, topPOf } from "../engine/api-values.js"
import { type Batches, type Generation, untilTheEnd } from "../engine/generation.js"
import type { Llama } from "../engine/llama.js"
import type { GenerateOptions, Piece, Usage } from "../engine/options.js"
import type { Tokenizer } from "../tokenizer/index.js"
import { badRequest } from "./api-error.js"
import { packetInterval } from "./event-stream.js"
import type { SamplingFields } from "./schemas.js"
import type { Work } from "./work.js"

export const seconds = (): number => Math.floor(Date.now() / 1000)

/** The engine's options of the fields that the requests share. */
export function samplingOptions(fields: SamplingFields): GenerateOptions {
  const options: GenerateOptions = {
    temperature: fields.temperature ?? undefined,
    topP: fields.top_p == null ? undefined : topPOf(fields.top_p),
    topK: fields.top_k ?? undefined,
    minP: fields.min_p ?? undefined,
    typicalP: fields.typical_p ?? undefined,
    repetitionPenalty: fields.repetition_penalty ?? undefined,
    frequencyPenalty: fields.frequency_penalty ?? undefined,
    presencePenalty: fields.presence_penalty ?? undefined,
    seed: fields.seed == null ? undefined : seedOf(fields.seed),
  }
  return withoutUndefined(options)
}

/** Bytes of the longest token of the Llama 3 vocabulary, a run of spaces. */
const longestToken = 128

/** Refuses what cannot fit before it is tokenized, which takes time. @throws ApiError 400. */
export function checkLength({ info }: Llama, texts: Iterable<unknown>): void {
  let characters = 0
  for (const text of texts) if (typeof text === "string") characters += text.length
  const { contextLength } = info
  if (characters > contextLength * longestToken)
    throw badRequest(
      `This model's maximum context length is ${contextLength} tokens, but the request has ${characters} ` +
        "characters, which cannot fit: shorten the prompt.",
      undefined,
      "context_length_exceeded",
    )
}

/** Without the fields that are undefined, which a strict check would not mind but a spread would copy. */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

/** What is to be streamed comes as often as packets are sent, what is to be answered as a whole in few groups. */
export const batchesOf = (generation: Generation, stream: boolean): Batches =>
  generation.batches(stream ? packetInterval : untilTheEnd)

/** Pieces of several generations; answer i of generation g has index g * answersEach + i. */
export async function* merged(iterators: readonly Batches[], answersEach: number, work: Work): Batches {
  const advance = async (from: number) => ({ from, next: await iterators[from].next() })
  const pending = new Map(iterators.map((_, from) => [from, advance(from)]))
  try {
    while (pending.size > 0) {
      const { from, next } = await Promise.race(pending.values())
      if (next.done) {
        pending.delete(from)
        continue
      }
      pending.set(from, advance(from))
      yield next.value.map((piece) => ({ ...piece, index: from * answersEach + piece.index }))
    }
  } finally {
    work.abort()
    await Promise.allSettled(pending.values())
  }
}

/** Adds up the usage of all answers; answers to the same prompt share its tokens. */
export class UsageCount {
  #prompts = new Map<number, Usage>()
  #completion = 0

  constructor(readonly answersEach = 1) {}

  add({ index, usage }: Piece): void {
    if (!usage) return
    this.#prompts.set(Math.floor(index / this.answersEach), usage)
    this.#completion += usage.completionTokens
  }

  get promptTokens(): number {
    return [...this.#prompts.values()].reduce((sum, { promptTokens }) => sum + promptTokens, 0)
  }
  get cachedTokens(): number {
    return [...this.#prompts.values()].reduce((sum, { cachedTokens }) => sum + cachedTokens, 0)
  }
  get completionTokens(): number {
    return this.#completion
  }

  /** As chat and completions report it. */
  toJSON() {
    const { promptTokens, completionTokens } = this
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: this.cachedTokens },
    }
  }
}

export interface TokenProbability {
  token: string
  logprob: number
  bytes: number[]
}

/** A token with its probability as the API has it; a probability of 0 is written as -9999. */
export function probability(tokenizer: Tokenizer, token: number, logprob: number): TokenProbability {
  const known = token < tokenizer.size
  return {
    token: known ? tokenizer.decode([token], { special: true }) : "",
    logprob: Math.max(logprob, -9999),
    bytes: known ? [...tokenizer.tokenBytes(token)] : [],
  }
}

/** The probabilities of a piece as chat and responses report them. */
export function probabilities(tokenizer: Tokenizer, { token, logprobs }: Piece) {
  if (token === undefined || !logprobs) return undefined
  return {
    ...probability(tokenizer, token, logprobs.logprob),
    top_logprobs: logprobs.top.map((other) => probability(tokenizer, other.token, other.logprob)),
  }
}
