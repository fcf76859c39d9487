// Which tokens may come next. For the places of one frame the answer is worked out once: the tokens that stay inside
// it, and the nodes of the trie where it is left in the middle of a token. Only behind those the surroundings matter,
// so a string costs one walk through the vocabulary, wherever it stands (after Dong et al. 2024, XGrammar).
import { type Frame, type Local, Machine } from "./machine.js"
import type { Expressions, Node } from "./expressions.js"
import type { TokenTrie } from "./token-trie.js"

/** Tokens that match from some places within their frame. */
export interface LocalMask {
  /** A bit for each token, or the tokens themselves where they are few. */
  readonly bits: Int32Array | undefined
  readonly tokens: Int32Array | undefined
  /** Nodes of the trie, with nodes under them, where the frame can be left. */
  readonly exits: Int32Array
}

/** Bytes of masks that a constraint keeps. */
const mostMaskBytes = 8 << 20

const manyExits = 2_000

export class Masks {
  machine: Machine
  /** Words of the vocabulary; one more takes the bit of no token. */
  readonly words: number
  readonly #bits: Int32Array
  readonly #expressions: Expressions
  readonly #root: Node
  readonly #trie: TokenTrie
  readonly #states: Int32Array
  #masks = new Map<Local, LocalMask>()
  /** Masks of configurations that can be left in the middle of very many tokens. */
  #whole = new Map<number, Int32Array>()
  readonly #forms = new Map<Node, number>()
  #maskBytes = 0

  constructor(expressions: Expressions, root: Node, trie: TokenTrie) {
    this.#expressions = expressions
    this.#root = root
    this.#trie = trie
    this.words = trie.noToken >>> 5
    this.#bits = new Int32Array(this.words + 1)
    this.#states = new Int32Array(trie.longest + 1)
    this.machine = new Machine(expressions, root)
  }

  /** Starts anew when too much was worked out: then configurations have to be adopted by the new machine. */
  tidy(): Machine {
    if (this.machine.isFull) {
      this.machine = new Machine(this.#expressions, this.#root)
      this.#forget()
    }
    return this.machine
  }

  #remember(bytes: number): void {
    this.#maskBytes += bytes
    if (this.#maskBytes <= mostMaskBytes) return
    this.#forget()
    this.#maskBytes = bytes
  }

  #forget(): void {
    this.#masks = new Map()
    this.#whole = new Map()
    this.#maskBytes = 0
  }

  /** The tokens that may come at this configuration: bit t % 32 of word t / 32. Overwritten by the next call. */
  of(configuration: number): Int32Array {
    const bits = this.#bits
    const whole = this.#whole.get(configuration)
    if (whole) {
      bits.set(whole)
      return bits
    }
    bits.fill(0)
    let exits = 0
    this.machine.earn()
    for (const { local, frame } of this.machine.configurations[configuration].places) {
      const mask = this.#of(this.machine.shortened(local, this.#trie.longest))
      if (mask.bits) for (let i = 0; i < this.words; i++) bits[i] |= mask.bits[i]
      else for (const token of mask.tokens!) bits[token >>> 5] |= 1 << (token & 31)
      if (mask.exits.length > 0) this.#leave(mask.exits, frame, bits)
      exits += mask.exits.length
    }
    bits[this.words] = 0
    if (exits > manyExits) {
      this.#remember(4 * this.words)
      this.#whole.set(configuration, bits.slice())
    }
    return bits
  }

  #leave(exits: Int32Array, frame: Frame, bits: Int32Array): void {
    const outside = this.machine.popped(frame)
    if (this.machine.configurations[outside].places.length === 0) return
    for (const node of exits) this.#walk(node, outside, bits)
  }

  #of(local: Local): LocalMask {
    const known = this.#masks.get(local)
    if (known) return known
    const { shared } = this.#trie
    const key = shared.key(local, this.#forms)
    const elsewhere = key === undefined ? undefined : shared.get(key)
    const mask = elsewhere ?? this.#walked(local)
    if (!elsewhere && mask.bits && key !== undefined) shared.set(key, mask)
    this.#remember(4 * ((mask.bits ?? mask.tokens!).length + mask.exits.length) + 100)
    this.#masks.set(local, mask)
    return mask
  }

  #walked(local: Local): LocalMask {
    const bits = new Int32Array(this.words + 1)
    const exits: number[] = []
    this.#walk(0, this.machine.alone(local), bits, exits)
    bits[this.words] = 0
    let count = 0
    for (const word of bits) count += ones(word)
    const few = count < this.words
    return {
      bits: few ? undefined : bits,
      tokens: few ? listed(bits, count) : undefined,
      exits: Int32Array.from(exits),
    }
  }

  /** Sets the bits of the tokens under a node of the trie that can be read from a configuration. */
  #walk(from: number, configuration: number, bits: Int32Array, exits?: number[]): void {
    const { machine } = this
    const { end, depth, byte, token, twin, hasTwins } = this.#trie
    const { classOf, classes, ends } = machine
    const states = this.#states
    let { steps } = machine
    const stop = end[from]
    states[depth[from]] = configuration
    for (let node = from + 1; node < stop; ) {
      const before = states[depth[node] - 1]
      const byteClass = classOf[byte[node]]
      let after = steps[before * classes + byteClass]
      if (after < 0) {
        after = machine.compute(before, byteClass)
        ;({ steps } = machine)
      }
      if (after === 0) {
        node = end[node]
        continue
      }
      states[depth[node]] = after
      // a node without a token sets a bit that stands for nothing: cheaper than a branch
      let id = token[node]
      bits[id >>> 5] |= 1 << (id & 31)
      if (hasTwins) while ((id = twin[id]) >= 0) bits[id >>> 5] |= 1 << (id & 31)
      if (exits && ends[after] && end[node] > node + 1) exits.push(node)
      node++
    }
  }
}

function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

function listed(bits: Int32Array, count: number): Int32Array {
  const tokens = new Int32Array(count)
  let at = 0
  bits.forEach((word, index) => {
    for (; word !== 0; word &= word - 1) tokens[at++] = 32 * index + 31 - Math.clz32(word & -word)
  })
  return tokens
}
