// Decides which tokens go into the next step: one of each decoding sequence, and prompts in chunks. Admits by free
// pages in the order of arrival, and sets the youngest back when pages run out. Knows no model and no text.
import { OutOfMemoryError } from "../errors/index.js"
import type { KvCache } from "../model/kv-cache.js"
import { type Sequence, tokensOf } from "./sequence.js"

/** Tokens `first` to `first + count - 1` of a sequence, and behind them guesses at the next ones. */
export interface Chunk {
  readonly sequence: Sequence
  readonly first: number
  readonly count: number
  readonly guesses: readonly number[]
}

/** Rows of the model that a chunk takes. */
export const rowsOf = ({ count, guesses }: Chunk): number => count + guesses.length

export interface SchedulerLimits {
  /** Slots that one sequence may fill. */
  readonly contextLength: number
  /** Most decoding sequences in one step, and most sequences admitted together. */
  readonly sequences: number
  /** Most rows a step of sequences that want the logits of every token. */
  readonly scoredRows: number
}

/** So many rows in a step take little longer than one, so that few answers leave room to check guesses. */
const cheapRows = 4

/** A chunk has at least this many tokens where the prompt has them, however many sequences decode. */
const leastPrefill = 8

/** Tokens at the start of a context that never slide out: attention leans on them (Xiao et al. 2023). */
const anchored = 4

export class Scheduler {
  readonly #cache: KvCache
  readonly #limits: SchedulerLimits
  /** Both by age. */
  readonly #waiting: Sequence[] = []
  readonly #running: Sequence[] = []
  readonly #starved: Sequence[] = []
  #step = 0
  /** The next in line when it did not fit, and how many pages were free: no need to try again before there are more. */
  #refused: { sequence: Sequence; free: number } | undefined
  preemptions = 0

  constructor(cache: KvCache, limits: SchedulerLimits) {
    this.#cache = cache
    this.#limits = limits
  }

  get running(): number {
    return this.#running.length
  }

  get waiting(): number {
    return this.#waiting.length
  }

  add(sequence: Sequence): void {
    insert(this.#waiting, sequence)
  }

  /** Takes in a fork, which has its pages already. */
  adopt(sequence: Sequence): void {
    insert(this.#running, sequence)
  }

  /** Forgets a sequence and gives its pages back. */
  remove(sequence: Sequence): void {
    without(this.#waiting, sequence)
    without(this.#running, sequence)
    this.#release(sequence)
  }

  /** Sequences removed because not even alone they find the memory they need; empties the list. */
  takeStarved(): Sequence[] {
    return this.#starved.splice(0)
  }

  /** Sets back the sequences that hold one of these pages, whose contents were lost. */
  setBackHolders(pages: ReadonlySet<number>): void {
    if (pages.size === 0) return
    const holders = this.#running.filter(({ place }) => place.cache!.pages.some((page) => pages.has(page)))
    for (const sequence of holders) this.#setBack(sequence)
  }

  /**
   * The next step, of about `rows` tokens where answers are being written, of `readingRows` where all that runs are prompts.
   * Pages for all of them are reserved.
   */
  plan(rows: number, readingRows: number): Chunk[] {
    this.#step++
    this.#admit()
    const chunks: Chunk[] = []
    const ready = (sequence: Sequence, decoding: boolean) =>
      !sequence.paused && (sequence.length - sequence.place.done === 1) === decoding
    const decoding = this.#running
      .filter((sequence) => ready(sequence, true) && !sequence.wantsAll)
      .toSorted((a, b) => a.place.step - b.place.step)
      .slice(0, this.#limits.sequences)
    for (const sequence of decoding) this.#take(sequence, 1, chunks)
    this.#addGuesses(chunks)
    const decoded = chunks.reduce((sum, chunk) => sum + rowsOf(chunk), 0)
    let left = decoded === 0 ? readingRows : Math.max(leastPrefill, rows - decoded)
    let scored = this.#limits.scoredRows
    for (const sequence of this.#running.slice()) {
      if (left <= 0) break
      if (sequence.paused || chunks.some((chunk) => chunk.sequence === sequence)) continue
      const remaining = sequence.length - sequence.place.done
      if (remaining === 1 && !sequence.wantsAll) continue
      const count = Math.min(remaining, left, isScored(sequence) ? scored : left)
      if (count <= 0) continue
      const taken = this.#take(sequence, count, chunks)
      left -= taken
      if (isScored(sequence)) scored -= taken
    }
    for (const { sequence } of chunks) sequence.place.step = this.#step
    return chunks
  }

  /** Behind chunks of one token each, as long as they find room. */
  #addGuesses(chunks: Chunk[]): void {
    let left = cheapRows - chunks.length
    for (const [i, { sequence, first, count }] of chunks.entries()) {
      const room = this.#limits.contextLength - sequence.length
      if (sequence.slides || left <= 0 || room <= 0) continue
      const guesses = sequence.guess(Math.min(left, room))
      if (guesses.length === 0 || !this.#reserve(sequence, count + guesses.length)) continue
      chunks[i] = { sequence, first, count, guesses }
      left -= guesses.length
    }
  }

  /** A step with these tokens succeeded: they are in the cache. */
  advance({ sequence, first, count }: Pick<Chunk, "sequence" | "first" | "count">): void {
    const { place } = sequence
    if (sequence.shares) place.cache!.commit(tokensOf(sequence, first, first + count))
    place.done = first + count
  }

  /** Slots filled before the chunk. */
  cached({ sequence }: Chunk): number {
    return sequence.shares ? sequence.place.cache!.length : sequence.place.done
  }

  #admit(): void {
    for (;;) {
      if (this.#running.length >= this.#limits.sequences) return
      const next = this.#waiting.find((sequence) => !sequence.paused)
      if (!next) return
      const { freePages } = this.#cache
      if (this.#running.length > 0 && this.#refused?.sequence === next && freePages <= this.#refused.free)
        return
      this.#refused = undefined
      if (this.#enter(next)) {
        without(this.#waiting, next)
        insert(this.#running, next)
      } else if (!this.#setBackPaused()) {
        if (this.#running.length > 0) {
          this.#refused = { sequence: next, free: freePages }
          return
        }
        without(this.#waiting, next)
        this.#starved.push(next)
      }
    }
  }

  /** Opens the cache of a sequence with room for all that is known of it. */
  #enter(sequence: Sequence): boolean {
    const { place, length } = sequence
    const cache = this.#cache.open(sequence.shares ? tokensOf(sequence, 0, length) : [], sequence.adapter)
    place.cache = cache
    place.done = place.found = cache.length
    // those that run must be able to go on for a while, or they would be set back at once
    const fits =
      this.#reserve(sequence, Math.min(length, this.#limits.contextLength) - place.done) &&
      (this.#running.length === 0 || this.#cache.freePages >= this.#running.length)
    if (!fits) this.#release(sequence)
    return fits
  }

  /** Adds a chunk of at most `count` tokens if there is room. Returns how many. */
  #take(sequence: Sequence, count: number, chunks: Chunk[]): number {
    const { place } = sequence
    if (!place.cache) return 0 // set back for the sake of an older one in this very step
    if (sequence.slides) {
      if (place.cache.length === this.#limits.contextLength) this.#slide(sequence)
      count = Math.min(count, this.#limits.contextLength - place.cache.length)
    }
    while (!this.#reserve(sequence, count)) {
      if (this.#setBackPaused()) continue
      const youngest = this.#running.at(-1)!
      if (youngest === sequence && this.#running.length === 1) {
        this.remove(sequence)
        this.#starved.push(sequence)
        return 0
      }
      this.#setBack(youngest)
      const at = chunks.findIndex((chunk) => chunk.sequence === youngest)
      if (at >= 0) chunks.splice(at, 1)
      if (youngest === sequence) return 0
    }
    chunks.push({ sequence, first: place.done, count, guesses: [] })
    return count
  }

  /** A function of the length alone, so that a sequence that is set back slides at the same tokens again. */
  #slide(sequence: Sequence): void {
    const { contextLength } = this.#limits
    const cache = sequence.place.cache!
    const keep = contextLength >= 4 * this.#cache.pageTokens ? anchored : 0
    cache.slide(keep, Math.floor((contextLength - keep) / 2))
  }

  #reserve(sequence: Sequence, tokens: number): boolean {
    const { cache, done } = sequence.place
    const room = () => cache!.reserve(sequence.shares ? tokens : done + tokens)
    try {
      return room()
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error
    }
    try {
      this.#cache.clear() // the pages of idle prefixes have their memory already
      return room()
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error
      return false
    }
  }

  #setBackPaused(): boolean {
    const paused = this.#running.findLast((sequence) => sequence.paused)
    if (paused) this.#setBack(paused)
    return paused !== undefined
  }

  #setBack(sequence: Sequence): void {
    this.preemptions++
    without(this.#running, sequence)
    this.#release(sequence)
    insert(this.#waiting, sequence)
  }

  #release({ place }: Sequence): void {
    place.cache?.release()
    place.cache = undefined
    place.done = 0
  }
}

/** Each of its rows makes logits, which are large. */
const isScored = ({ wantsAll, wantsStates }: Sequence): boolean => wantsAll && !wantsStates

function insert(list: Sequence[], sequence: Sequence): void {
  let at = list.length
  while (at > 0 && list[at - 1].order > sequence.order) at--
  list.splice(at, 0, sequence)
}

function without(list: Sequence[], sequence: Sequence): void {
  const at = list.indexOf(sequence)
  if (at >= 0) list.splice(at, 1)
}
