// SHA-256 (FIPS 180-4) of bytes that come piece by piece, which the browsers' own digest does not take.

const fraction = (value: number) => ((value - Math.floor(value)) * 2 ** 32) | 0
const primes = Array.from({ length: 312 }, (_, n) => n).filter(
  (n) => n > 1 && !Array.from({ length: n }, (_, d) => d).some((d) => d > 1 && n % d === 0),
)
const roundConstants = Int32Array.from(primes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)))
const start = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const blockBytes = 64

export class Sha256 {
  readonly #state = start.slice()
  readonly #words = new Int32Array(64)
  readonly #block = new Uint8Array(blockBytes)
  readonly #view = new DataView(this.#block.buffer)
  #filled = 0
  #length = 0

  update(bytes: Uint8Array): this {
    this.#length += bytes.length
    let at = 0
    if (this.#filled > 0) at = this.#fill(bytes, 0)
    if (this.#filled === 0) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (; at + blockBytes <= bytes.length; at += blockBytes) this.#mix(view, at)
      this.#fill(bytes, at)
    }
    return this
  }

  /** The hash in hexadecimal. Ends this one. */
  digest(): string {
    const bits = this.#length * 8
    const padding = new Uint8Array(((this.#filled < 56 ? 56 : 120) - this.#filled) | 0)
    padding[0] = 0x80
    this.update(padding)
    this.#view.setUint32(56, Math.floor(bits / 2 ** 32))
    this.#view.setUint32(60, bits >>> 0)
    this.#mix(this.#view, 0)
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
  }

  /** Moves bytes into the open block and mixes it when it is full. Returns where it stopped. */
  #fill(bytes: Uint8Array, from: number): number {
    const part = bytes.subarray(from, from + blockBytes - this.#filled)
    this.#block.set(part, this.#filled)
    this.#filled += part.length
    if (this.#filled === blockBytes) {
      this.#mix(this.#view, 0)
      this.#filled = 0
    }
    return from + part.length
  }

  #mix(view: DataView, at: number): void {
    const w = this.#words
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i)
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]
      const y = w[i - 2]
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0
    }
    let [a, b, c, d, e, f, g, h] = this.#state
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + roundConstants[i] + w[i]) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    const state = this.#state
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h
  }
}
