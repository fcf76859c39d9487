// What the scheduler knows of a sequence of tokens that goes through the model: an answer or a text to be scored.
import type { SequenceCache } from "../model/kv-cache.js"

export interface Sequence {
  /** Age: a smaller one came earlier, is served earlier and is set back later. */
  readonly order: number
  /** Tokens known so far. */
  readonly length: number
  token(index: number): number
  /** Position of token 0. */
  readonly firstPosition: number
  /** Name of the adapter that it goes through. */
  readonly adapter: string | undefined
  /** Its pages may serve other sequences with the same beginning, and it may use theirs. */
  readonly shares: boolean
  /** When the context is full its oldest tokens go; else its length never exceeds the context. */
  readonly slides: boolean
  /** Nobody takes what it produces at the moment. */
  readonly paused: boolean
  /** Logits are wanted for every token, not only for the last. */
  readonly wantsAll: boolean
  /** The hidden states before the output layer are wanted instead of logits. */
  readonly wantsStates: boolean
  /** Guesses at the tokens that will follow, `most` of them at the most. */
  guess(most: number): readonly number[]
  /** Set by the scheduler. */
  readonly place: Place
}

/** Where a sequence stands. */
export interface Place {
  cache: SequenceCache | undefined
  /** Tokens that went through the model, those found in the prefix cache included. */
  done: number
  /** Of those at the last admission, how many were found. */
  found: number
  /** Number of the last step that it was part of. */
  step: number
}

export const nowhere = (): Place => ({ cache: undefined, done: 0, found: 0, step: 0 })

/** Tokens first..end-1. */
export function tokensOf(sequence: Sequence, first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => sequence.token(first + i))
}
