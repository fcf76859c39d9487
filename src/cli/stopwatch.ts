// Times one answer: when its first token came and how fast the others followed.
import type { Piece, Usage } from "../engine/options.js"

export interface Timings {
  readonly firstTokenMilliseconds: number
  readonly totalMilliseconds: number
  /** Tokens after the first, by the time after the first: reading the prompt does not count. */
  readonly tokensPerSecond: number
}

export class Stopwatch {
  readonly #start = performance.now()
  #first: number | undefined
  #last = this.#start
  tokens = 0
  usage: Usage | undefined

  piece(piece: Pick<Piece, "token" | "usage">): void {
    const now = performance.now()
    if (piece.usage) this.usage = piece.usage
    if (piece.token === undefined) return
    this.#first ??= now
    this.#last = now
    this.tokens++
  }

  timings(): Timings {
    const now = performance.now()
    const first = this.#first ?? now
    const seconds = (this.#last - first) / 1000
    return {
      firstTokenMilliseconds: rounded(first - this.#start),
      totalMilliseconds: rounded(now - this.#start),
      tokensPerSecond: seconds > 0 ? rounded((this.tokens - 1) / seconds) : 0,
    }
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100
