// An order of n things that looks random, computed entry by entry: nothing is stored, so a position in it is all that
// a resumed run needs.

const rounds = 6

/**
 * A bijection of 0..size-1 onto itself, chosen by the seed: a Feistel network over the next even power of two (Luby &
 * Rackoff 1988), walked on until it lands inside (at most 4 steps on average). `size` is at most 2^32.
 */
export function permutation(size: number, seed: number): (index: number) => number {
  let halfBits = 1
  while (4 ** halfBits < size) halfBits++
  const mask = 2 ** halfBits - 1
  const keys = Uint32Array.from({ length: rounds }, (_, round) =>
    mix((seed ^ Math.imul(round + 1, 0x9e3779b1)) >>> 0),
  )
  return (index) => {
    let at = index
    do {
      let left = Math.floor(at / (mask + 1))
      let right = at % (mask + 1)
      for (const key of keys) [left, right] = [right, (left ^ mix(right ^ key)) & mask]
      at = (left >>> 0) * (mask + 1) + (right >>> 0)
    } while (at >= size)
    return at
  }
}

/** A 32-bit integer scattered over all 32 bits, a bijection (the finalizer of MurmurHash3). */
export function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
