// What `generate` and `chat` return: pieces to iterate, or the whole text at once.
import type { ToolCall } from "../chat/index.js"
import { InvalidOptionError } from "../errors/index.js"
import type { FinishReason, Piece, Usage } from "./options.js"

/** A whole answer. */
export interface Answer {
  readonly text: string
  readonly tokens: readonly number[]
  readonly logprobs?: readonly NonNullable<Piece["logprobs"]>[]
  readonly toolCalls?: readonly ToolCall[]
  readonly finishReason: FinishReason
  readonly usage: Usage
}

/** Milliseconds between groups of pieces where only the whole is wanted. */
export const untilTheEnd = 3_600_000

/** Pieces in groups as they come. */
export type Batches = AsyncGenerator<readonly Piece[], void, void>

/** Starts the work; pieces may be held back for so many milliseconds to come together. */
type Start = (milliseconds: number) => Batches

async function* singly(batches: Batches): AsyncGenerator<Piece, void, void> {
  for await (const pieces of batches) yield* pieces
}

/**
 * An answer that is being written. It starts when it is first asked for something, and can be read once: either
 * piece by piece, or as a whole. Leaving the iteration early ends the work.
 */
export class Generation implements AsyncIterable<Piece> {
  #start: Start | undefined

  constructor(start: Start) {
    this.#start = start
  }

  [Symbol.asyncIterator](): AsyncGenerator<Piece, void, void> {
    return singly(this.batches(0))
  }

  /**
   * Pieces in groups: the first at once, then all that come within so many milliseconds (0: within a step of the engine;
   * otherwise the more, the more generations run) or as many as fit a message. For who passes answers on, where waking up
   * for every token would cost more than it brings.
   */
  batches(milliseconds: number): Batches {
    const start = this.#start
    if (!start) throw new InvalidOptionError("this generation was read already: call generate or chat again")
    this.#start = undefined
    return start(milliseconds)
  }

  /** Runs to the end; the text of the first answer. */
  async text(): Promise<string> {
    const [first] = await this.result()
    return first.text
  }

  /** Runs to the end; all answers. */
  async result(): Promise<Answer[]> {
    const answers: {
      texts: string[]
      tokens: number[]
      logprobs: NonNullable<Piece["logprobs"]>[]
      last?: Piece
    }[] = []
    for await (const pieces of this.batches(untilTheEnd))
      for (const piece of pieces) {
        const answer = (answers[piece.index] ??= { texts: [], tokens: [], logprobs: [] })
        answer.texts.push(piece.text)
        if (piece.token !== undefined) answer.tokens.push(piece.token)
        if (piece.logprobs) answer.logprobs.push(piece.logprobs)
        if (piece.finishReason) answer.last = piece
      }
    return answers.map(({ texts, tokens, logprobs, last }) => ({
      text: texts.join(""),
      tokens,
      ...(logprobs.length > 0 && { logprobs }),
      ...(last?.toolCalls && { toolCalls: last.toolCalls }),
      finishReason: last!.finishReason!,
      usage: last!.usage!,
    }))
  }
}
