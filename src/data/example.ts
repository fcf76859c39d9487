// What training data consists of, whatever file it came from. Knows neither files nor tokens.
import type { Message, Tool } from "../chat/index.js"

/** Where an example stands, for messages. */
export interface Place {
  readonly file: string
  /** Line of the file, from 1. */
  readonly line: number
}

/** A document for pretraining, or one part of a long one. */
export interface TextExample {
  readonly text: string
  /** Number of the document within its file, from 0. */
  readonly document: number
  /** Whether this goes on where the example before it ended, in the same document. */
  readonly continues: boolean
  readonly place: Place
}

/** A conversation: what the assistant says in it is to be learned. */
export interface ChatExample {
  readonly messages: readonly Message[]
  readonly tools: readonly Tool[]
  readonly place: Place
}

/** A conversation with a better and a worse way to go on; both end with the assistant. */
export interface PreferenceExample {
  readonly messages: readonly Message[]
  readonly tools: readonly Tool[]
  readonly chosen: readonly Message[]
  readonly rejected: readonly Message[]
  readonly place: Place
}

/** A conversation that waits for an answer. */
export interface PromptExample {
  readonly messages: readonly Message[]
  readonly tools: readonly Tool[]
  /** The whole line: what a checker of answers may need. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly place: Place
}

export interface ExampleOf {
  readonly text: TextExample
  readonly chat: ChatExample
  readonly preference: PreferenceExample
  readonly prompt: PromptExample
}
export type ExampleKind = keyof ExampleOf
