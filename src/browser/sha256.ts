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
    mix(this.#state, this.#words, view, at)
  }
}

// A function of plain locals and eight rounds a turn, so that no value moves from name to name: twice the speed.
function mix(state: Int32Array, w: Int32Array, view: DataView, at: number): void {
  const k = roundConstants
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i)
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]
    const y = w[i - 2]
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0
  }
  let a = state[0]
  let b = state[1]
  let c = state[2]
  let d = state[3]
  let e = state[4]
  let f = state[5]
  let g = state[6]
  let h = state[7]
  for (let i = 0; i < 64; i += 8) {
    h = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + k[i] + w[i]) | 0
    d = (d + h) | 0
    h = (h + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)))) | 0
    g = (g + (rotate(d, 6) ^ rotate(d, 11) ^ rotate(d, 25)) + (f ^ (d & (e ^ f))) + k[i + 1] + w[i + 1]) | 0
    c = (c + g) | 0
    g = (g + (rotate(h, 2) ^ rotate(h, 13) ^ rotate(h, 22)) + ((h & a) | (b & (h | a)))) | 0
    f = (f + (rotate(c, 6) ^ rotate(c, 11) ^ rotate(c, 25)) + (e ^ (c & (d ^ e))) + k[i + 2] + w[i + 2]) | 0
    b = (b + f) | 0
    f = (f + (rotate(g, 2) ^ rotate(g, 13) ^ rotate(g, 22)) + ((g & h) | (a & (g | h)))) | 0
    e = (e + (rotate(b, 6) ^ rotate(b, 11) ^ rotate(b, 25)) + (d ^ (b & (c ^ d))) + k[i + 3] + w[i + 3]) | 0
    a = (a + e) | 0
    e = (e + (rotate(f, 2) ^ rotate(f, 13) ^ rotate(f, 22)) + ((f & g) | (h & (f | g)))) | 0
    d = (d + (rotate(a, 6) ^ rotate(a, 11) ^ rotate(a, 25)) + (c ^ (a & (b ^ c))) + k[i + 4] + w[i + 4]) | 0
    h = (h + d) | 0
    d = (d + (rotate(e, 2) ^ rotate(e, 13) ^ rotate(e, 22)) + ((e & f) | (g & (e | f)))) | 0
    c = (c + (rotate(h, 6) ^ rotate(h, 11) ^ rotate(h, 25)) + (b ^ (h & (a ^ b))) + k[i + 5] + w[i + 5]) | 0
    g = (g + c) | 0
    c = (c + (rotate(d, 2) ^ rotate(d, 13) ^ rotate(d, 22)) + ((d & e) | (f & (d | e)))) | 0
    b = (b + (rotate(g, 6) ^ rotate(g, 11) ^ rotate(g, 25)) + (a ^ (g & (h ^ a))) + k[i + 6] + w[i + 6]) | 0
    f = (f + b) | 0
    b = (b + (rotate(c, 2) ^ rotate(c, 13) ^ rotate(c, 22)) + ((c & d) | (e & (c | d)))) | 0
    a = (a + (rotate(f, 6) ^ rotate(f, 11) ^ rotate(f, 25)) + (h ^ (f & (g ^ h))) + k[i + 7] + w[i + 7]) | 0
    e = (e + a) | 0
    a = (a + (rotate(b, 2) ^ rotate(b, 13) ^ rotate(b, 22)) + ((b & c) | (d & (b | c)))) | 0
  }
  state[0] += a
  state[1] += b
  state[2] += c
  state[3] += d
  state[4] += e
  state[5] += f
  state[6] += g
  state[7] += h
}

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by))
