// The likeliest tokens of a large vocabulary without sorting it: a radix search finds the value at which enough
// has been kept. Time is linear whatever the values are; ties go to the lower id.

/** Candidates in the order of their ids; only the first `count` of each array are meant. */
export interface Candidates {
  count: number
  readonly ids: Int32Array
  /** Probability times an unknown constant. */
  readonly weights: Float64Array
}

/** Digits of a key, the most significant first: shift and number of bits. */
const digits = [
  [21, 11],
  [10, 11],
  [0, 10],
] as const

/** Float32 bits as an unsigned number of the same order. */
export const orderedBits = (bits: number): number => (bits < 0 ? ~bits : bits | 0x80000000) >>> 0

export class Selector {
  readonly keys: Uint32Array
  readonly #sums = new Float64Array(2048)

  constructor(capacity: number) {
    this.keys = new Uint32Array(capacity)
  }

  /**
   * Keeps the candidates with the largest keys, as few as make their weights (or, without weights, their number)
   * reach `target`. `keys[i]` belongs to candidate i.
   */
  keepLargest(candidates: Candidates, weights: Float64Array | undefined, target: number): void {
    const { keys } = this
    const { key, before } = this.#cutoff(candidates.count, weights, target)
    const { ids, weights: kept } = candidates
    let sum = before
    let count = 0
    for (let i = 0; i < candidates.count; i++) {
      if (keys[i] < key) continue
      if (keys[i] === key) {
        if (sum >= target) continue
        sum += weights ? weights[i] : 1
      }
      ids[count] = ids[i]
      kept[count++] = kept[i]
    }
    candidates.count = count
  }

  /** The smallest key to keep, and what the larger ones add up to. */
  #cutoff(count: number, weights: Float64Array | undefined, target: number): { key: number; before: number } {
    const { keys } = this
    const sums = this.#sums
    let mask = 0
    let prefix = 0
    let before = 0
    for (const [shift, bits] of digits) {
      const last = (1 << bits) - 1
      sums.fill(0)
      for (let i = 0; i < count; i++) {
        if ((keys[i] & mask) === prefix) sums[(keys[i] >>> shift) & last] += weights ? weights[i] : 1
      }
      let digit = last
      while (digit > 0 && before + sums[digit] < target) before += sums[digit--]
      prefix |= digit << shift
      mask |= last << shift
    }
    return { key: prefix >>> 0, before }
  }
}
