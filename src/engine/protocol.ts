// What the calling thread and the engine say to each other: plain data only, fit for structured clone. The engine
// checks every request before it acts on it; what it answers it made itself.
import * as z from "zod"
import { InvalidOptionError } from "../errors/index.js"
import { longestConstraint } from "./constrain.js"
import type { ErrorData } from "./error-data.js"
import type { Piece } from "./options.js"

const id = z.number().int().nonnegative()
const tokens = z.custom<Int32Array>((value) => value instanceof Int32Array, "must be an Int32Array")
const bias = z.number().or(z.literal(Number.NEGATIVE_INFINITY))

/** A generation with every default filled in. */
export const generateRequest = z.strictObject({
  prompt: tokens,
  sampling: z.strictObject({
    temperature: z.number().min(0),
    topK: z.number().int().nonnegative(),
    topP: z.number().gt(0).max(1),
    minP: z.number().min(0).max(1),
    typicalP: z.number().gt(0).max(1),
    repetitionPenalty: z.number().positive(),
    frequencyPenalty: z.number(),
    presencePenalty: z.number(),
    penaltyTokens: z.number().int().nonnegative().optional(),
    logitBias: z.array(z.tuple([id, bias])),
  }),
  /** Answer i draws its tokens with seed + i. */
  seed: z.number().int().nonnegative(),
  maxTokens: z.number().int().nonnegative().optional(),
  stop: z.array(z.string().min(1)),
  stopTokens: z.array(id),
  /** Number of alternatives whose log probabilities are wanted; absent: none at all. */
  logprobs: z.number().int().min(0).max(20).optional(),
  n: z.number().int().min(1).max(128),
  slide: z.boolean(),
  /** Whether tokens are guessed from those before and checked several at once. */
  promptLookup: z.boolean(),
  /** A schema as JSON, a pattern or a grammar that the answers keep to. */
  constraint: z
    .strictObject({
      type: z.enum(["json_object", "json_schema", "regex", "grammar"]),
      text: z.string().max(longestConstraint),
    })
    .optional(),
  /** Name of the adapter that the answers go through. */
  adapter: z.string().optional(),
  /** Pieces that may be sent before the first grant of more. */
  credit: z.number().int().positive(),
  /** Milliseconds for which pieces after the first may wait for others to be sent with. */
  interval: z.number().min(0),
})
export type GenerateRequest = z.infer<typeof generateRequest>

export const command = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("generate"), id, request: generateRequest }),
  z.strictObject({
    type: z.literal("score"),
    id,
    ids: tokens,
    firstPosition: z
      .number()
      .int()
      .min(0)
      .max(1 << 24),
    adapter: z.string().optional(),
  }),
  z.strictObject({ type: z.literal("embed"), id, ids: tokens, adapter: z.string().optional() }),
  z.strictObject({ type: z.literal("grant"), id, credit: z.number().int().positive() }),
  z.strictObject({ type: z.literal("cancel"), id }),
  z.strictObject({ type: z.literal("stats"), id }),
])
/** What the calling thread asks. Requests have ids of the caller's choice, never used twice. */
export type Command = z.infer<typeof command>

export function checkCommand(value: unknown): Command {
  const result = command.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new InvalidOptionError(
    `the engine was sent something it does not understand: ${path.join(".")}: ${message}`,
  )
}

/** How busy the engine is. */
export interface EngineStats {
  /** Answers being computed, and those that wait for room in the cache. */
  readonly running: number
  readonly waiting: number
  /** Pages of the key-value cache: those in use are total - free; `cached` of the free ones hold known prefixes. */
  readonly pages: {
    readonly total: number
    readonly free: number
    readonly cached: number
    readonly tokens: number
  }
  /** Since the load: tokens of prompts computed (cached ones are not), tokens generated, steps, sequences set back. */
  readonly promptTokens: number
  readonly generatedTokens: number
  /** Tokens that were guessed ahead, and how many of them came true: each saved a step. */
  readonly guessedTokens: number
  readonly acceptedTokens: number
  readonly steps: number
  readonly preemptions: number
  /** Generated tokens a second over the last seconds of work. */
  readonly tokensPerSecond: number
  /** Bytes that the backend holds: weights, cache and working memory. */
  readonly memoryBytes: number
}

/** What a step brought, for all requests together. */
export interface StepEvent {
  readonly type: "step"
  readonly pieces: (readonly [id: number, pieces: readonly Piece[]])[]
  /** Logits of rows of a scoring request, from its row `first` on; of an embedding its one vector. */
  readonly rows: (readonly [id: number, first: number, logits: Float32Array])[]
  readonly ended: number[]
  readonly failed: (readonly [id: number, error: ErrorData])[]
}

export type EngineEvent =
  | StepEvent
  | { readonly type: "stats"; readonly id: number; readonly stats: EngineStats }
