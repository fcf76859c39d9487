// Byte-pair encoding (Gage 1994, Sennrich et al. 2016): the most frequent pair of neighbours becomes a new symbol, again
// and again. Counts are kept up to date where something changes. Knows pieces of bytes, not texts.
import { printable } from "../printable.js"
import { PairCounts } from "./pair-counts.js"
import type { PieceCounts } from "./piece-counts.js"

export interface LearnOptions {
  /** Symbols to arrive at, the 256 bytes included. */
  readonly symbols: number
  /** Pairs that occur less often are left apart. */
  readonly minFrequency: number
  /** Symbols are at most that long. */
  readonly mostBytes: number
  readonly onProgress?: (symbols: number) => void
  readonly signal?: AbortSignal
}

export interface Learned {
  /** Bytes of every symbol; the first 256 are the bytes themselves, in the order of GPT-2's alphabet. */
  readonly symbols: Uint8Array[]
  /** Left and right of every merge, in order. Two merges may make the same symbol. */
  readonly merges: [left: number, right: number][]
}

/** How long the loop goes on before it lets others have a turn, in ms. */
const turnTime = 50

/** The bytes in the order in which GPT-2, and Llama 3 after it, number them: by their printable characters. */
const byteOrder = Array.from({ length: 256 }, (_, byte) => byte).toSorted((a, b) =>
  printable[a] < printable[b] ? -1 : 1,
)

/**
 * Deterministic: of two pairs that are equally frequent the one with the smaller left symbol goes first, then the one with
 * the smaller right symbol. Ends early where no pair is frequent enough.
 */
export async function learnMerges(pieces: PieceCounts, options: LearnOptions): Promise<Learned> {
  const { minFrequency, mostBytes, onProgress, signal } = options
  const symbols = byteOrder.map((byte) => Uint8Array.of(byte))
  const merges: [number, number][] = []
  const known = new Map(symbols.map((bytes, id) => [keyOf(bytes), id]))
  const text = new SymbolText(pieces)
  let turn = performance.now()
  while (symbols.length < options.symbols) {
    const most = text.pairs.takeMost()
    if (most === undefined || most.count < minFrequency) break
    const left = text.pairs.left[most.pair]
    const right = text.pairs.right[most.pair]
    if (symbols[left].length + symbols[right].length > mostBytes) continue
    const bytes = new Uint8Array([...symbols[left], ...symbols[right]])
    let merged = known.get(keyOf(bytes))
    if (merged === undefined) {
      merged = symbols.push(bytes) - 1
      known.set(keyOf(bytes), merged)
    }
    merges.push([left, right])
    text.merge(most.pair, merged)
    if (performance.now() - turn > turnTime) {
      onProgress?.(symbols.length)
      await new Promise((resolve) => setTimeout(resolve, 0))
      signal?.throwIfAborted()
      turn = performance.now()
    }
  }
  return { symbols, merges }
}

const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

/** The pieces as symbols, with the counts of all pairs. */
class SymbolText {
  readonly pairs = new PairCounts()
  readonly #symbols: Int32Array
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  readonly #weights: Float64Array

  constructor(pieces: PieceCounts) {
    const idOfByte = new Int32Array(256)
    for (const [id, byte] of byteOrder.entries()) idOfByte[byte] = id
    this.#symbols = new Int32Array(pieces.bytes)
    this.#starts = new Int32Array(pieces.size)
    this.#lengths = new Int32Array(pieces.size)
    this.#weights = new Float64Array(pieces.size)
    let piece = 0
    let at = 0
    pieces.forEach((bytes, start, end, count) => {
      this.#starts[piece] = at
      this.#lengths[piece] = end - start
      this.#weights[piece] = count
      for (let i = start; i < end; i++) {
        this.#symbols[at++] = idOfByte[bytes[i]]
        if (i > start) this.pairs.add(this.#symbols[at - 2], this.#symbols[at - 1], count, piece)
      }
      piece++
    })
    for (let pair = 0; pair < this.pairs.size; pair++) this.pairs.gained(pair)
  }

  /** Replaces the pair by the symbol everywhere, from left to right. */
  merge(pair: number, merged: number): void {
    const { pairs } = this
    const left = pairs.left[pair]
    const right = pairs.right[pair]
    const symbols = this.#symbols
    const gained = new Set<number>()
    for (const piece of pairs.takePieces(pair)) {
      const weight = this.#weights[piece]
      const start = this.#starts[piece]
      const end = start + this.#lengths[piece]
      let to = start
      for (let from = start; from < end; from++) {
        if (symbols[from] !== left || from + 1 === end || symbols[from + 1] !== right) {
          symbols[to++] = symbols[from]
          continue
        }
        if (to > start) {
          pairs.add(symbols[to - 1], left, -weight, piece)
          gained.add(pairs.add(symbols[to - 1], merged, weight, piece))
        }
        if (from + 2 < end) {
          pairs.add(right, symbols[from + 2], -weight, piece)
          gained.add(pairs.add(merged, symbols[from + 2], weight, piece))
        }
        symbols[to++] = merged
        from++
      }
      this.#lengths[piece] = to - start
    }
    pairs.counts[pair] = 0
    for (const pair of gained) pairs.gained(pair)
  }
}
