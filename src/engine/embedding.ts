// A text whose hidden states are averaged into one vector. Its pages are its own, as those of a scored text are.
import { nowhere, type Sequence } from "./sequence.js"

export class Embedding implements Sequence {
  readonly place = nowhere()
  readonly firstPosition = 0
  readonly shares = false
  readonly slides = false
  readonly paused = false
  readonly wantsAll = true
  readonly wantsStates = true
  readonly guess = (): readonly number[] => []
  readonly #sum: Float64Array
  /** Tokens that are in the sum: a text that is set back does not add them twice. */
  #added = 0

  constructor(
    readonly id: number,
    readonly order: number,
    readonly ids: Int32Array,
    readonly adapter: string | undefined,
    width: number,
  ) {
    this.#sum = new Float64Array(width)
  }

  get length(): number {
    return this.ids.length
  }

  token(index: number): number {
    return this.ids[index]
  }

  /** Takes the hidden states [count, D] of tokens first..first+count-1. */
  add(first: number, states: Float32Array): void {
    const width = this.#sum.length
    const count = states.length / width
    for (let row = Math.max(0, this.#added - first); row < count; row++) {
      for (let i = 0; i < width; i++) this.#sum[i] += states[row * width + i]
    }
    this.#added = Math.max(this.#added, first + count)
  }

  /** The mean of all states, of length 1. */
  vector(): Float32Array {
    const norm = Math.sqrt(this.#sum.reduce((sum, value) => sum + value * value, 0))
    return Float32Array.from(this.#sum, (value) => (norm > 0 ? value / norm : 0))
  }
}
