// How many tokens a step may take: as many as fit the time after which new requests, cancels and running streams
// want to be served again. Chunk sizes change no result, only when it comes.

/** Milliseconds a step should take where nothing can interrupt it; twice that where something can. */
const stepTime = 100
const rowLimits = { least: 8, first: 32, most: 128 }
/**
 * While only prompts are read nobody waits for the next token, so a step may take longer, up to so many rows: what is done
 * once a step, reading and unpacking the weights, is then a small part of it.
 */
const reading = { times: 4, rows: 64 }

export class Pace {
  /** Rows of a step in which answers are written. */
  rows = rowLimits.first
  readonly #target: number
  readonly #samples: { at: number; tokens: number; milliseconds: number }[] = []

  constructor(interruptible: boolean) {
    this.#target = interruptible ? 2 * stepTime : stepTime
  }

  /** Rows of a step that only reads prompts. */
  get readingRows(): number {
    return Math.max(this.rows, Math.min(reading.rows, this.rows * reading.times))
  }

  /** A step of `rows` tokens took so long and brought `generated` new tokens. */
  report(rows: number, generated: number, milliseconds: number, now: number): void {
    // a step with few tokens says little about the cost of many
    if (rows >= this.rows || milliseconds > this.#target) {
      const fitting = (rows * this.#target) / Math.max(milliseconds, 1)
      const smooth = Math.max(this.rows / 2, Math.min(this.rows * 2, fitting))
      this.rows = Math.round(Math.max(rowLimits.least, Math.min(rowLimits.most, smooth)))
    }
    this.#samples.push({ at: now, tokens: generated, milliseconds })
    while (this.#samples[0].at < now - 5000 || this.#samples.length > 1000) this.#samples.shift()
  }

  /** Generated tokens a second of work, over the last five seconds in which there was some. */
  get tokensPerSecond(): number {
    let tokens = 0
    let milliseconds = 0
    for (const sample of this.#samples) {
      tokens += sample.tokens
      milliseconds += sample.milliseconds
    }
    return milliseconds > 0 ? (1000 * tokens) / milliseconds : 0
  }
}
