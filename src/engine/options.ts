// The words of the public interface: what a caller may ask of a model and what comes back. Validated at the
// boundary, then passed between threads as plain data.
import * as z from "zod"
import type { ToolCall, ToolCallDelta } from "../chat/index.js"
import type { ConstraintOptions } from "../constraints/index.js"
import { InvalidOptionError } from "../errors/index.js"

const token = z.number().int().nonnegative()
const stopString = z.string().min(1).max(10_000)

const constraint = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    schema: z.custom<object | boolean>(
      (value) => typeof value === "boolean" || (typeof value === "object" && value !== null),
      "a schema is an object, true or false",
    ),
  }),
  z.strictObject({ type: z.literal("regex"), pattern: z.string() }),
  z.strictObject({ type: z.literal("grammar"), grammar: z.string() }),
])

/** What `generate` and `chat` take beside the prompt; see `GenerateOptions` for the meaning of each. */
export const generateOptions = z.strictObject({
  temperature: z.number().min(0).max(100).optional(),
  topK: z.number().int().nonnegative().optional(),
  topP: z.number().gt(0).max(1).optional(),
  minP: z.number().min(0).max(1).optional(),
  typicalP: z.number().gt(0).max(1).optional(),
  repetitionPenalty: z.number().positive().max(100).optional(),
  frequencyPenalty: z.number().min(-10).max(10).optional(),
  presencePenalty: z.number().min(-10).max(10).optional(),
  penaltyTokens: z.number().int().nonnegative().optional(),
  logitBias: z.record(z.string().regex(/^\d{1,9}$/), z.number().or(z.literal(-Infinity))).optional(),
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  maxTokens: z.number().int().nonnegative().optional(),
  stop: z.union([stopString, z.array(stopString).max(64)]).optional(),
  stopTokens: z.array(token).max(1024).optional(),
  ignoreEos: z.boolean().optional(),
  logprobs: z.union([z.boolean(), z.number().int().min(0).max(20)]).optional(),
  n: z.number().int().min(1).max(128).optional(),
  contextOverflow: z.enum(["error", "slide"]).optional(),
  constraint: constraint.optional(),
  promptLookup: z.boolean().optional(),
  adapter: z.string().nullable().optional(),
  special: z.boolean().optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal).optional(),
})

export interface GenerateOptions {
  /** 0 takes the likeliest token. Default: the model's, else 0.6. */
  temperature?: number
  /** Keep the k likeliest tokens; 0 keeps all. Default 0. */
  topK?: number
  /** Keep the likeliest tokens whose probabilities add up to p (Holtzman et al. 2019). Default: the model's, else 0.9. */
  topP?: number
  /** Drop tokens less likely than minP times the likeliest (Nguyen et al. 2024). Default 0. */
  minP?: number
  /** Keep the tokens closest to the entropy whose probabilities add up to p (Meister et al. 2022). Default 1: all. */
  typicalP?: number
  /** Divides positive and multiplies negative logits of tokens seen before (Keskar et al. 2019). Default 1. */
  repetitionPenalty?: number
  /** Subtracted from a logit for each time its token was generated. Default 0. */
  frequencyPenalty?: number
  /** Subtracted from the logits of tokens generated at least once. Default 0. */
  presencePenalty?: number
  /** How many of the latest tokens the repetition penalty looks at. Default: all. */
  penaltyTokens?: number
  /** Added to the logits of these token ids; -Infinity forbids a token. */
  logitBias?: Record<string, number>
  /** Same seed, same text, whatever else runs; with n > 1 answer i has the seed `seed + i`. Default: random. */
  seed?: number
  /** Most tokens to generate. Default: until the context is full. */
  maxTokens?: number
  /** Texts that end the answer; they are not part of it. */
  stop?: string | string[]
  /** Tokens that end the answer, beside the model's own. */
  stopTokens?: number[]
  /** Goes on past the model's own stop tokens. Default false. */
  ignoreEos?: boolean
  /** Log probability of each token, and of that many alternatives. Default: none. */
  logprobs?: boolean | number
  /** Number of answers, generated side by side from one prompt. Default 1. */
  n?: number
  /** When the context is full: end with an error before the start and "length" after it, or let the oldest tokens go. */
  contextOverflow?: "error" | "slide"
  /**
   * What the answer has to be: a JSON object, JSON under a schema, a match of a pattern or of a GBNF grammar. Other
   * tokens are never chosen; stop tokens only where the answer is whole. Log probabilities stay those of the model.
   * An answer that maxTokens cuts off has the finishReason "length" and may be incomplete.
   */
  constraint?: ConstraintOptions
  /**
   * Guesses tokens from what the prompt and the answer said before and checks several in one step: the same answer, sooner
   * where it repeats something. Default true.
   */
  promptLookup?: boolean
  /** The adapter for this request, by its name in the load's `adapters`; null for none. Default: the load's `adapter`. */
  adapter?: string | null
  /** Reads special tokens in a prompt string, such as <|eot_id|>. Only for text that you wrote yourself. */
  special?: boolean
  /** Ends the answer early: the iteration throws the signal's reason. */
  signal?: AbortSignal
}

export function checkGenerateOptions(options: unknown): GenerateOptions {
  const result = generateOptions.safeParse(options ?? {})
  if (result.success) return result.data
  const problems = result.error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length > 0 ? `${issue.path.join(".")}: ${issue.message}` : issue.message))
  throw new InvalidOptionError(`these generation options do not work: ${problems.join("; ")}`)
}

export type FinishReason = "stop" | "length" | "toolCalls"

export interface TokenLogprob {
  readonly token: number
  readonly text: string
  /** Natural logarithm of the probability under the model, before temperature and filters. */
  readonly logprob: number
}

export interface Usage {
  readonly promptTokens: number
  /** Prompt tokens that were found in the prefix cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
}

/** One step of an answer. Texts of the pieces joined are the answer; a piece may hold no text. */
export interface Piece {
  readonly text: string
  /** The token, absent in the last piece of an answer when that only carries its end. */
  readonly token?: number
  /** Which answer, 0 to n-1. */
  readonly index: number
  readonly logprobs?: { readonly logprob: number; readonly top: readonly TokenLogprob[] }
  /** Set in the last piece of each answer. */
  readonly finishReason?: FinishReason
  readonly usage?: Usage
  /** Parts of calls of tools as they are written. A call that the end of the answer cuts off is not in `toolCalls`. */
  readonly toolCallDeltas?: readonly ToolCallDelta[]
  /** What the model asks to be run; in the last piece of a chat's answer, with finishReason "toolCalls". */
  readonly toolCalls?: readonly ToolCall[]
}
