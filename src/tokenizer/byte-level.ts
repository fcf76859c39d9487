// Byte-level BPE: the pattern cuts the text into pieces, a piece that is a token is that token, every other piece
// is encoded as merging its bytes would. WebAssembly does it, window by window of the text; this file owns its memory
// and builds there what it asks for. Knows texts and ids; special tokens are above it.
import { UnsupportedError } from "../errors/index.js"
import type { Merger } from "./merge.js"
import type { TokenizerData } from "./model.js"
import { early } from "./pair-table.js"
import { Automaton, classesBytes, transitionsBytes, type AutomatonTables } from "./pattern/automaton.js"
import { padding } from "./vocabulary.js"
import { instantiate, type Program } from "./wasm/instance.js"

/** Bytes of text at a time. A window that holds no whole piece grows; one that has grown beyond the most is given up. */
const firstWindow = 1 << 15
const mostKept = 1 << 20
const mostExpected = 1 << 24
const pageBytes = 1 << 16
/** What the program keeps at hand, see wasm/kernels/main.ts. */
const scratchBytes = 1 << 16

/** What turns a text into ids. */
export interface StretchEncoder {
  encode(text: string, out: number[]): void
}

export class ByteLevelEncoder implements StretchEncoder {
  readonly #data: TokenizerData
  readonly #merger: Merger
  readonly #automata: readonly Automaton[]
  readonly #utf8 = new TextEncoder()
  #utf8Bytes: Uint8Array | undefined
  #run: Run | undefined

  /** The data's patterns are applied one after the other, each to the pieces of the one before. */
  constructor(data: TokenizerData, merger: Merger) {
    this.#data = data
    this.#merger = merger
    this.#automata = automataOf(data)
  }

  encode(text: string, out: number[]): void {
    let run = (this.#run ??= this.#start())
    let held = 0
    const first = out.length
    let count = 0
    for (let taken = 0, isLast = false; !isLast; ) {
      if (run.shared && run.isFull(held)) run = run.apart(held)
      const room = run.room(held)
      // Browsers encode into memory that is not shared alone.
      const into = run.shared
        ? (this.#utf8Bytes ??= new Uint8Array(firstWindow)).subarray(0, room.length)
        : room
      const { read, written } = this.#utf8.encodeInto(taken === 0 ? text : text.slice(taken), into)
      if (into !== room) room.set(into.subarray(0, written))
      taken += read
      isLast = taken === text.length
      held = run.encode(held + written, isLast)
      const ids = run.ids
      if (first + count + ids.length > out.length)
        out.length = first + expected(count + ids.length, text.length / taken)
      for (let i = 0; i < ids.length; i++) out[first + count + i] = ids[i]
      count += ids.length
    }
    out.length = first + count
    if (this.#run.window > mostKept) this.#run = undefined
  }

  #start(): Run {
    const { memory } = this.#data
    if (memory) {
      try {
        return new Run(this.#data, this.#automata, this.#merger, memory)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error // the memory is full: this encoder gets its own
      }
    }
    return new Run(this.#data, this.#automata, this.#merger)
  }
}

/**
 * How many ids to make room for where a part of a text has `count` and the whole of it is `more` times as long. An
 * array that grows with each window is copied each time; a very long one is no array any more, for the engine.
 */
const expected = (count: number, more: number): number =>
  Math.max(count, Math.min(more === 1 ? count : Math.ceil(1.05 * count * more), mostExpected))

const automataOf = ({ patterns }: TokenizerData): Automaton[] =>
  patterns.map((pattern) => new Automaton(pattern))

const align = (bytes: number): number => (bytes + 63) & ~63
/** Of the merges of all pairs of bytes. */
const bytePairsBytes = 4 << 16
/** Of a window with its ids and marks. */
const windowBytes = (window: number): number => align(window + padding) + 4 * window + 4 * (window + 1)

/**
 * The instance at work and its memory: the tables of the tokens, the automata, then a window of text with its ids and,
 * for every byte, a mark that encoding may set. In the shared memory of the tables it takes a part, in which the window
 * cannot grow; elsewhere it has a memory of its own, and copies of the tables.
 */
class Run {
  window = 0
  /** What `encode` found: a view that the next call and a larger window overwrite. */
  ids: Int32Array = new Int32Array()
  readonly shared: boolean
  readonly #data: TokenizerData
  readonly #merger: Merger
  readonly #memory: WebAssembly.Memory
  readonly #program: Program
  /** Addresses: of the automata's tables, and of the window's text and ids. */
  readonly #stages: readonly number[]
  readonly #scratch: number
  readonly #text: number
  #idsAddress = 0
  #tables: AutomatonTables[] = []

  constructor(
    data: TokenizerData,
    automata: readonly Automaton[],
    merger: Merger,
    sharedMemory?: WebAssembly.Memory,
  ) {
    this.#data = data
    this.#merger = merger
    this.shared = sharedMemory !== undefined
    let end = 64
    const take = (bytes: number): number => {
      const address = end
      end += align(bytes)
      return address
    }
    const { derivations, trie, earlyPairs } = data.leftToRight!
    const { records, starts, lateNumbers } = derivations
    const { slots, filter, merged } = data.pairs
    const tables = [
      records,
      starts,
      lateNumbers,
      trie.first,
      trie.nodes,
      earlyPairs.slots,
      earlyPairs.filter,
      slots,
      filter,
      data.vocabulary.table,
      ...(merged ? [merged] : []),
    ]
    let addresses = tables.map((table) => table.byteOffset)
    if (sharedMemory) {
      this.#memory = sharedMemory
      const automataBytes = automata.length * (8 + align(classesBytes + transitionsBytes))
      const bytes = scratchBytes + align(automataBytes) + bytePairsBytes + windowBytes(firstWindow)
      end = sharedMemory.grow(Math.ceil((bytes + 64) / pageBytes)) * pageBytes
    } else {
      addresses = tables.map((table) => take(table.byteLength))
      this.#memory = new WebAssembly.Memory({ initial: Math.ceil(end / pageBytes) })
      for (const [i, table] of tables.entries()) this.#ints(addresses[i], table.length).set(table)
    }
    this.#scratch = take(scratchBytes)
    const stageList = take(8 * automata.length)
    this.#stages = automata.map(() => take(classesBytes + transitionsBytes))
    const bytePairs = take(bytePairsBytes)
    this.#text = end
    this.#program = instantiate(this.#memory, this.shared, {
      explore: (stage, row, point) => automata[stage].explore(this.#tables[stage], row, point),
      merge: (start, after, target) => {
        const bytes = new Uint8Array(this.#memory.buffer, start, after - start)
        const ids: number[] = []
        const symbols = merger.symbols(bytes.length)
        for (let i = 0; i < bytes.length; i++) symbols[i] = data.byteTokens[bytes[i]]
        merger.merge(bytes.length, ids)
        this.#ints(target, ids.length).set(ids)
        return target + 4 * ids.length
      },
      refuse: () => {
        throw new UnsupportedError(
          "the pre-tokenizer pattern of this model needs quadratic time on this text",
        )
      },
    })
    this.#grow(firstWindow)
    this.#ints(stageList, 2 * automata.length).set(
      this.#stages.flatMap((address) => [address, address + classesBytes]),
    )
    for (const [stage, automaton] of automata.entries()) automaton.start(this.#tables[stage])
    const [
      recordsAt,
      startsAt,
      lateAt,
      first,
      nodes,
      earlySlots,
      earlyFilter,
      allSlots,
      filterAt,
      whole,
      mergedAt = 0,
    ] = addresses
    this.#program.setTables(recordsAt, startsAt, lateAt, first, nodes)
    this.#program.setWhole(whole, data.vocabulary.table.length / 4)
    this.#program.setEarlyPairs(
      earlySlots,
      earlyPairs.slots.length / 2,
      earlyFilter,
      earlyPairs.filter.length,
      early,
    )
    this.#program.setPairs(allSlots, slots.length / 2, filterAt, filter.length, mergedAt)
    this.#program.setBytePairs(bytePairs)
    this.#program.setStages(stageList, automata.length, data.wholeTokens)
  }

  /** Whether the window must grow before more text can follow its first `held` bytes. */
  isFull(held: number): boolean {
    return 2 * held > this.window
  }

  /** One in a memory of its own that goes on with the first `held` bytes of this window. */
  apart(held: number): Run {
    const run = new Run(this.#data, automataOf(this.#data), this.#merger)
    while (run.isFull(held)) run.#grow(2 * run.window)
    new Uint8Array(run.#memory.buffer, run.#text, held).set(
      new Uint8Array(this.#memory.buffer, this.#text, held),
    )
    return run
  }

  /** Where the window's text after the first `held` bytes is to be written. */
  room(held: number): Uint8Array {
    if (this.isFull(held)) this.#grow(2 * this.window)
    return new Uint8Array(this.#memory.buffer, this.#text + held, this.window - held)
  }

  /**
   * Encodes the window's first `length` bytes to `ids`. Unless they are the last of the text it leaves what more text
   * could change at the start of the window, and returns the number of these bytes.
   */
  encode(length: number, isLast: boolean): number {
    const end = this.#text + length
    const after = this.#program.encode(this.#text, end, this.#idsAddress, isLast)
    this.ids = this.#ints(this.#idsAddress, (after - this.#idsAddress) >> 2)
    if (isLast) return 0
    const stopped = this.#program.stopped()
    new Uint8Array(this.#memory.buffer).copyWithin(this.#text, stopped, end)
    return end - stopped
  }

  #ints(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length)
  }

  /** Makes room for a window of that many bytes, whose text stays, and for as many ids and marks. */
  #grow(window: number): void {
    this.window = window
    this.#idsAddress = this.#text + align(window + padding)
    const marks = this.#idsAddress + 4 * window
    const missing = this.#text + windowBytes(window) - this.#memory.buffer.byteLength
    if (missing > 0) this.#memory.grow(Math.ceil(missing / pageBytes))
    this.#ints(marks, window + 1).fill(0)
    this.#program.place(this.#text, marks, this.#scratch)
    this.#tables = this.#stages.map((address) => ({
      classes: new Uint8Array(this.#memory.buffer, address, classesBytes),
      transitions: this.#ints(address + classesBytes, transitionsBytes / 4),
    }))
  }
}
