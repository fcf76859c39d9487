// Memory that is given back all at once: what is allocated after a mark is free again when the mark is reset. The arena
// reserves address space once and takes memory as it grows; what is freed is kept for the next time, for a while.
import { OutOfMemoryError } from "../../errors/errors.js"
import type { Addon, Handle } from "./addon.js"

const step = 16 * 2 ** 20
const least = 256 * 2 ** 20
/** So much comes in small pages: most arenas never need more, and of a huge page all is resident. */
const smallBytes = 2 ** 21
/** Of what one round did not need any more, this share is kept for the next. */
const keptShare = 0.95

const upTo = (bytes: number, unit: number): number => Math.ceil(bytes / unit) * unit
export const formatMiB = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

export class Arena {
  readonly #base: number
  readonly #limit: number
  #offset = 0
  /** Largest offset since the arena was last empty. */
  #peak = 0
  /** What the rounds before needed, the last one more than those before it. */
  #wanted = 0
  /** Bytes from the base that may be written. */
  #usable = 0
  /** Bytes from the base that may hold memory. */
  #resident = 0

  /** `limit`: how much it may ever hold. */
  constructor(
    readonly addon: Addon,
    readonly machine: Handle,
    limit: number,
  ) {
    let size = Math.max(least, upTo(limit, step))
    let base = 0
    while ((base = addon.reserve(machine, size, smallBytes)) === 0) {
      if (size <= least)
        throw new OutOfMemoryError(`the system grants no address space of ${formatMiB(size)}`)
      size = Math.max(least, upTo(size / 2, step))
    }
    this.#base = base
    this.#limit = size
  }

  /** Bytes that it holds now. */
  get residentBytes(): number {
    return this.#resident
  }

  /** Address of `bytes`, aligned to 64, with undefined contents. Throws OutOfMemoryError. */
  allocate(bytes: number): number {
    const start = this.#offset
    const end = start + upTo(Math.max(bytes, 1), 64)
    if (end > this.#usable) this.#grow(end, bytes)
    this.#offset = end
    this.#peak = Math.max(this.#peak, end)
    this.#resident = Math.max(this.#resident, upTo(end, step))
    return this.#base + start
  }

  mark(): number {
    return this.#offset
  }

  reset(mark = 0): void {
    this.#offset = mark
    if (mark > 0) return
    this.#wanted = Math.max(this.#peak, this.#wanted * keptShare)
    this.#peak = 0
    const end = upTo(this.#wanted, step)
    if (end >= this.#resident) return
    this.addon.discard(this.machine, this.#base + end, this.#resident - end)
    this.#resident = end
  }

  #grow(end: number, bytes: number): void {
    const usable = Math.min(this.#limit, upTo(end, step))
    const fits = end <= usable
    if (!fits || !this.addon.commit(this.machine, this.#base + this.#usable, usable - this.#usable)) {
      throw new OutOfMemoryError(
        `cannot take ${formatMiB(bytes)} more: ${formatMiB(this.#offset)} of ${formatMiB(this.#limit)} are in use; ` +
          "use fewer tokens at a time, a shorter context or a smaller model",
      )
    }
    this.#usable = usable
  }
}
