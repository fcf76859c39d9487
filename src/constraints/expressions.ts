// The language of all constraints: expressions over bytes, made of switches on a byte, sequences, choices, counted
// repetitions and calls of rules. Knows neither tokens nor where an expression comes from (schema, regex, grammar).
import { InvalidOptionError } from "../errors/index.js"

/** Bytes lo to hi lead to `next`. */
export interface Edge {
  readonly lo: number
  readonly hi: number
  readonly next: Node
}

interface Common {
  readonly id: number
  /** Matches the empty text. Of rules and what calls them it is known only when they are settled. */
  nullable: boolean
  /** Matches nothing at all. As above. */
  dead: boolean
}

/** Takes one byte; where `final`, also nothing. Edges are disjoint and in order. May be part of a cycle. */
export interface Switch extends Common {
  readonly kind: "switch"
  readonly edges: Edge[]
  readonly final: boolean
  /** Whether its edges were given later, and may lead back to it. */
  readonly isOpen: boolean
}
export interface Sequence extends Common {
  readonly kind: "sequence"
  readonly items: readonly Node[]
}
export interface Choice extends Common {
  readonly kind: "choice"
  readonly options: readonly Node[]
}
/** `item` at least `min` and at most `max` times. */
export interface Repeat extends Common {
  readonly kind: "repeat"
  readonly item: Node
  readonly min: number
  readonly max: number
}
/** A named expression that may call itself. */
export interface Rule extends Common {
  readonly kind: "rule"
  readonly name: string
  body: Node | undefined
}
export type Node = Switch | Sequence | Choice | Repeat | Rule

type Bare<T extends Common> = Omit<T, keyof Common>

/** First and last code point, in order and apart from each other. */
export type Ranges = readonly (readonly [number, number])[]

/** Most expressions that one constraint may have, before and while it runs. */
const mostNodes = 200_000
/** Bytes of the texts of one list, beginnings that they share counted once. */
const mostTextBytes = 100_000
/** Steps that building automata may take, all together. */
const mostWork = 400_000
export const unlimited = Number.POSITIVE_INFINITY

export class Expressions {
  readonly nodes: Node[] = []
  readonly empty: Node
  readonly never: Node
  readonly #switches = new Map<string, Switch>()
  #work = 0
  readonly #choices = new Map<string, Node>()
  readonly #repeats = new Map<Node, Map<number, Map<number, Node>>>()
  readonly #texts = new TextEncoder()
  /** 1 where an edge of some switch begins or ends: bytes between two marks are alike to every expression. */
  readonly #marks = new Uint8Array(257)

  constructor() {
    this.empty = this.#add({ kind: "sequence", items: [] }, true, false)
    this.never = this.#add({ kind: "choice", options: [] }, false, true)
  }

  /**
   * Counts the work of building automata.
   * @throws InvalidOptionError when it is too much.
   */
  spend(work: number): void {
    this.#work += work
    if (this.#work > mostWork)
      throw new InvalidOptionError(
        "the constraint takes too long to prepare: use smaller bounds, or fewer patterns and look-aheads",
      )
  }

  #add<T extends object>(node: T, nullable: boolean, dead: boolean): T & Common {
    if (this.nodes.length >= mostNodes) {
      throw new InvalidOptionError(
        `the constraint is too large: it has more than ${mostNodes} parts. Use smaller enums, bounds or patterns`,
      )
    }
    const made = { ...node, id: this.nodes.length, nullable, dead }
    this.nodes.push(made as unknown as Node)
    return made
  }

  /** The same edges give the same node. */
  switch(edges: readonly Edge[], final: boolean): Switch {
    const key = edges.map(({ lo, hi, next }) => `${lo}-${hi}:${next.id}`).join() + (final ? "." : "")
    let node = this.#switches.get(key)
    if (!node) {
      const isDead = edges.length === 0 && !final
      node = this.#add<Bare<Switch>>(
        { kind: "switch", edges: [...edges], final, isOpen: false },
        final,
        isDead,
      )
      this.#mark(edges)
      this.#switches.set(key, node)
    }
    return node
  }

  /** A switch whose edges are given later by `connect`: automata with cycles are made this way. */
  open(final: boolean): Switch {
    return this.#add<Bare<Switch>>({ kind: "switch", edges: [], final, isOpen: true }, final, false)
  }

  connect(node: Switch, edges: readonly Edge[]): void {
    node.edges.push(...edges)
    this.#mark(edges)
  }

  #mark(edges: readonly Edge[]): void {
    for (const { lo, hi } of edges) this.#marks[lo] = this.#marks[hi + 1] = 1
  }

  /** For each byte the number of its class. Bytes of one class are alike to every expression made so far. */
  byteClasses(): { classOf: Uint8Array; first: number[] } {
    const classOf = new Uint8Array(256)
    const first = [0]
    for (let byte = 1; byte < 256; byte++) {
      if (this.#marks[byte] === 1) first.push(byte)
      classOf[byte] = first.length - 1
    }
    return { classOf, first }
  }

  sequence(...items: readonly Node[]): Node {
    const rest = items.filter((item) => item !== this.empty)
    if (rest.includes(this.never)) return this.never
    if (rest.length === 0) return this.empty
    if (rest.length === 1) return rest[0]
    const node = { kind: "sequence", items: rest } as const
    return this.#add(
      node,
      rest.every((item) => item.nullable),
      rest.some((item) => item.dead),
    )
  }

  choice(options: readonly Node[]): Node {
    const rest = [...new Set(options)].filter((option) => option !== this.never)
    if (rest.length === 0) return this.never
    if (rest.length === 1) return rest[0]
    const key = rest.map(({ id }) => id).join()
    let node = this.#choices.get(key)
    if (!node) {
      const choice = { kind: "choice", options: rest } as const
      node = this.#add(
        choice,
        rest.some((option) => option.nullable),
        rest.every((option) => option.dead),
      )
      this.#choices.set(key, node)
    }
    return node
  }

  optional(item: Node): Node {
    return this.choice([item, this.empty])
  }

  repeat(item: Node, min: number, max: number): Node {
    if (item === this.empty || max === 0) return this.empty
    if (min > max) return this.never
    if (item === this.never) return min === 0 ? this.empty : this.never
    if (max === 1) return min === 1 ? item : this.optional(item)
    if (item.nullable) {
      const solid = this.#withoutEmpty(item)
      if (solid !== item) return this.repeat(solid, 0, max)
      min = 0
    }
    if (item.kind === "repeat" && item.max === unlimited && item.min <= 1 && max === unlimited)
      return this.repeat(item.item, min * item.min, unlimited)
    const ofItem = this.#repeats.get(item) ?? new Map<number, Map<number, Node>>()
    const ofMin = ofItem.get(min) ?? new Map<number, Node>()
    let node = ofMin.get(max)
    if (!node) {
      const repeat = { kind: "repeat", item, min, max } as const
      node = this.#add(repeat, min === 0 || item.nullable, min > 0 && item.dead)
      ofMin.set(max, node)
      ofItem.set(min, ofMin)
      this.#repeats.set(item, ofItem)
    }
    return node
  }

  /** The same without the empty text, where that is simple. */
  #withoutEmpty(item: Node): Node {
    if (item.kind === "choice")
      return this.choice(
        item.options.map((option) => (option.nullable ? this.#withoutEmpty(option) : option)),
      )
    if (item.kind === "repeat" && !item.item.nullable) return this.repeat(item.item, 1, item.max)
    if (item.kind === "switch") return this.switch(item.edges, false)
    return item === this.empty ? this.never : item
  }

  rule(name: string): Rule {
    return this.#add<Bare<Rule>>({ kind: "rule", name, body: undefined }, false, false)
  }

  bytes(bytes: Iterable<number>): Node {
    let node: Node = this.empty
    for (const byte of [...bytes].toReversed())
      node = this.switch([{ lo: byte, hi: byte, next: node }], false)
    return node
  }

  text(text: string): Node {
    return this.bytes(this.#texts.encode(text))
  }

  /** One of many texts, as a trie. */
  texts(texts: Iterable<string>): Node {
    interface Branch {
      final: boolean
      readonly children: Map<number, Branch>
    }
    const root: Branch = { final: false, children: new Map() }
    let size = 0
    for (const text of texts) {
      let branch = root
      for (const byte of this.#texts.encode(text)) {
        let next = branch.children.get(byte)
        if (!next) {
          if (++size > mostTextBytes) return this.#tooMany()
          branch.children.set(byte, (next = { final: false, children: new Map() }))
        }
        branch = next
      }
      branch.final = true
    }
    if (root.children.size === 0) return root.final ? this.empty : this.never
    // children before parents, without recursion: a text may be long
    const order = [root]
    for (let at = 0; at < order.length; at++) order.push(...order[at].children.values())
    const made = new Map<Branch, Node>()
    for (const branch of order.toReversed()) {
      const edges = [...branch.children]
        .toSorted(([a], [b]) => a - b)
        .map(([byte, child]) => ({ lo: byte, hi: byte, next: made.get(child)! }))
      made.set(branch, edges.length === 0 ? this.empty : this.switch(edges, branch.final))
    }
    return made.get(root)!
  }

  #tooMany(): never {
    throw new InvalidOptionError(
      `the constraint is too large: the values that it lists have more than ${mostTextBytes} bytes`,
    )
  }

  /** One character of these, in UTF-8. Surrogates are no characters. */
  characters(ranges: Ranges): Node {
    const sequences: [number, number][][] = []
    for (const [first, last] of ranges) {
      if (first < 0xd800) utf8Sequences(first, Math.min(last, 0xd7ff), sequences)
      if (last > 0xdfff) utf8Sequences(Math.max(first, 0xe000), last, sequences)
    }
    return this.#byteTree(sequences, 0)
  }

  #byteTree(sequences: readonly (readonly [number, number])[][], depth: number): Node {
    if (sequences.length === 0) return this.never
    if (sequences[0].length === depth) return this.empty
    const edges: Edge[] = []
    for (let at = 0; at < sequences.length; ) {
      const [lo, hi] = sequences[at][depth]
      let end = at + 1
      while (end < sequences.length && sequences[end][depth][0] === lo) end++
      const next = this.#byteTree(sequences.slice(at, end), depth + 1)
      const last = edges.at(-1)
      if (last && last.next === next && last.hi + 1 === lo)
        edges[edges.length - 1] = { lo: last.lo, hi, next }
      else edges.push({ lo, hi, next })
      at = end
    }
    return this.switch(edges, false)
  }
}

/** Adds the ranges of bytes that encode the characters first to last. */
function utf8Sequences(first: number, last: number, out: [number, number][][]): void {
  for (const bound of [0x7f, 0x7ff, 0xffff]) {
    if (first <= bound && last > bound) {
      utf8Sequences(first, bound, out)
      utf8Sequences(bound + 1, last, out)
      return
    }
  }
  const length = last <= 0x7f ? 1 : last <= 0x7ff ? 2 : last <= 0xffff ? 3 : 4
  for (let i = 1; i < length; i++) {
    const low = (1 << (6 * i)) - 1
    if ((first & ~low) === (last & ~low)) continue
    if ((first & low) !== 0) {
      utf8Sequences(first, first | low, out)
      utf8Sequences((first | low) + 1, last, out)
      return
    }
    if ((last & low) !== low) {
      utf8Sequences(first, (last & ~low) - 1, out)
      utf8Sequences(last & ~low, last, out)
      return
    }
  }
  const encode = (point: number) =>
    Array.from({ length }, (_, i) => {
      const bits = (point >>> (6 * (length - 1 - i))) & (i === 0 ? 0xff : 0x3f)
      return i > 0 ? bits | 0x80 : length === 1 ? bits : bits | ((0xf00 >> length) & 0xff)
    })
  const low = encode(first)
  const high = encode(last)
  out.push(low.map((byte, i) => [byte, high[i]]))
}
