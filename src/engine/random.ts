// Random numbers by counter: the number of a token depends on the seed and on which token it is, on nothing that
// was drawn before. So a text does not change with the batch, or when a sequence is interrupted and redone.

const rotations = [13, 15, 26, 6, 17, 29, 16, 24]

/**
 * Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): two words of
 * key and two of counter give two random words.
 */
export function threefry(key0: number, key1: number, counter0: number, counter1: number): [number, number] {
  const keys = [key0 | 0, key1 | 0, 0x1bd11bda ^ key0 ^ key1]
  let x0 = (counter0 + keys[0]) | 0
  let x1 = (counter1 + keys[1]) | 0
  for (let round = 0; round < 20; round++) {
    const turn = rotations[round % 8]
    x0 = (x0 + x1) | 0
    x1 = ((x1 << turn) | (x1 >>> (32 - turn))) ^ x0
    if (round % 4 === 3) {
      const step = (round + 1) / 4
      x0 = (x0 + keys[step % 3]) | 0
      x1 = (x1 + keys[(step + 1) % 3] + step) | 0
    }
  }
  return [x0 >>> 0, x1 >>> 0]
}

const word = 2 ** 32

/** A number in [0, 1) with 53 random bits for this token of the answer with this seed. */
export function uniform(seed: number, token: number): number {
  const [high, low] = threefry(seed % word, Math.floor(seed / word), token % word, Math.floor(token / word))
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}

/** A seed nobody chose: 53 bits from the platform's generator. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2))
  return (high >>> 11) * word + low
}
