// Records of several sources in one order without end: shares by tokens, shuffled anew every epoch. The order is a pure
// function of the seed and the cursor, and the cursor is a few numbers.
import { InvalidOptionError } from "../errors/index.js"
import { mix, permutation } from "./permutation.js"
import type { RecordStore, TokenRecord } from "./record.js"

export interface MixtureSource {
  readonly name: string
  readonly store: RecordStore
  /** Share of the tokens, in any unit. Default: as many as the source has, so that all are read equally often. */
  readonly weight?: number
}

/** How far each source has been read: plain JSON, to be kept in a checkpoint. */
export interface MixtureCursor {
  readonly sources: readonly { readonly name: string; readonly records: number; readonly tokens: number }[]
}

export interface MixtureRecord {
  readonly record: TokenRecord
  /** Number of the source. */
  readonly source: number
  /** How often its records had all been read before. */
  readonly epoch: number
}

/** A source with what has been read of it. */
class Reading {
  records = 0
  tokens = 0
  #epoch = -1
  #order: (index: number) => number = (index) => index

  constructor(
    readonly name: string,
    readonly store: RecordStore,
    readonly weight: number,
    readonly seed: number,
  ) {}

  get epoch(): number {
    return Math.floor(this.records / this.store.records)
  }

  async next(): Promise<TokenRecord> {
    const { records: size } = this.store
    if (this.#epoch !== this.epoch) {
      this.#epoch = this.epoch
      this.#order = permutation(size, mix(this.seed + Math.imul(this.#epoch, 0x9e3779b1)))
    }
    const record = await this.store.read(this.#order(this.records % size))
    this.records++
    for (const { ids } of record) this.tokens += ids.length
    return record
  }
}

export class Mixture {
  readonly #sources: readonly Reading[]

  constructor(sources: readonly MixtureSource[], seed: number) {
    if (sources.length === 0) throw new InvalidOptionError("there is no data: name at least one source")
    const names = new Set<string>()
    this.#sources = sources.map(({ name, store, weight = store.tokens }, number) => {
      if (names.has(name)) throw new InvalidOptionError(`two sources are named ${name}`)
      names.add(name)
      if (store.records === 0 || store.tokens === 0)
        throw new InvalidOptionError(`the source ${name} is empty: leave it out`)
      if (!Number.isFinite(weight) || weight <= 0)
        throw new InvalidOptionError(
          `the weight of the source ${name} is ${weight}, expected a positive number`,
        )
      return new Reading(name, store, weight, mix(seed ^ mix(number + 1)))
    })
  }

  /** Epochs of the source that has been read most often, fractions included. */
  get epochs(): number {
    return Math.max(...this.#sources.map(({ records, store }) => records / store.records))
  }

  get cursor(): MixtureCursor {
    return { sources: this.#sources.map(({ name, records, tokens }) => ({ name, records, tokens })) }
  }

  /** Goes on where the cursor was taken; InvalidOptionError where the sources are not those of the cursor. */
  restore({ sources }: MixtureCursor): void {
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(", ")
    if (names(sources) !== names(this.#sources))
      throw new InvalidOptionError(
        `the run had the sources ${names(sources)}, now they are ${names(this.#sources)}: give it the same data to go on`,
      )
    for (const [i, { records, tokens }] of sources.entries()) {
      const reading = this.#sources[i]
      reading.records = records
      reading.tokens = tokens
    }
  }

  /** The next record: of the source that is furthest behind its share, the first of several. */
  async next(): Promise<MixtureRecord> {
    let chosen = 0
    for (let i = 1; i < this.#sources.length; i++) {
      const [a, b] = [this.#sources[chosen], this.#sources[i]]
      if (b.tokens / b.weight < a.tokens / a.weight) chosen = i
    }
    const reading = this.#sources[chosen]
    const { epoch } = reading
    return { source: chosen, epoch, record: await reading.next() }
  }
}
