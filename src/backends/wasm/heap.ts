// One WebAssembly memory and who has which part of it. A memory of 32-bit addresses ends at 4 GiB, so a large model
// has several heaps. Knows nothing of what is stored.
import { OutOfMemoryError } from "../../errors/errors.js"

const PAGE = 65536
const ALIGNMENT = 64
export const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
export const formatMiB = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

/** Makes a memory with as large a maximum as the platform grants. */
export function createMemory(
  shared: boolean,
  maximumBytes: number,
): { memory: WebAssembly.Memory; maximum: number } {
  let maximum = Math.min(65536, Math.ceil(maximumBytes / PAGE))
  for (;;) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 64, maximum, shared }), maximum: maximum * PAGE }
    } catch (error) {
      if (maximum <= 4096) {
        throw new OutOfMemoryError(
          "the platform grants no memory of 256 MiB: close other pages or programs",
          {
            cause: error,
          },
        )
      }
      maximum = Math.floor(maximum / 2)
    }
  }
}

export class Heap {
  /** Bytes handed out now. */
  used = 0
  /** End of what was ever handed out; above it nothing was touched. */
  #top: number
  /** Free stretches below the top, by address. */
  #holes: { start: number; end: number }[] = []
  #bytes: Uint8Array
  constructor(
    readonly index: number,
    readonly memory: WebAssembly.Memory,
    start: number,
    readonly maximum: number,
  ) {
    this.#top = align(start)
    this.#bytes = new Uint8Array(memory.buffer)
    this.#grow(this.#top)
  }

  /** Views of the memory as it is now: do not keep them across an allocation. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = new Uint8Array(this.memory.buffer)
    return this.#bytes
  }

  /** Largest stretch that `allocate` could still give while staying below `limit`. */
  room(limit = this.maximum): number {
    const holes = this.#holes.map(({ start, end }) => end - start)
    return Math.max(0, Math.min(limit, this.maximum) - this.#top, ...holes)
  }

  /** Address of `bytes` of memory with undefined contents. Throws OutOfMemoryError. */
  allocate(bytes: number): number {
    const size = align(Math.max(bytes, 1))
    const at = this.#holes.findIndex(({ start, end }) => end - start >= size)
    this.used += size
    if (at >= 0) {
      const hole = this.#holes[at]
      const address = hole.start
      hole.start += size
      if (hole.start === hole.end) this.#holes.splice(at, 1)
      return address
    }
    const address = this.#top
    if (address + size > this.maximum) {
      this.used -= size
      throw new OutOfMemoryError(
        `cannot take ${formatMiB(size)} more: ${formatMiB(address)} of ${formatMiB(this.maximum)} are in use; ` +
          "use fewer tokens at a time, a shorter context or a smaller model",
      )
    }
    this.#grow(address + size)
    this.#top = address + size
    return address
  }

  /** Gives back what `allocate(bytes)` returned. */
  release(address: number, bytes: number): void {
    const end = address + align(Math.max(bytes, 1))
    this.used -= end - address
    let at = this.#holes.findIndex((hole) => hole.start > address)
    if (at < 0) at = this.#holes.length
    this.#holes.splice(at, 0, { start: address, end })
    const next = this.#holes[at + 1]
    if (next && next.start === end) {
      this.#holes[at].end = next.end
      this.#holes.splice(at + 1, 1)
    }
    const previous = this.#holes[at - 1]
    if (previous && previous.end === address) {
      previous.end = this.#holes[at].end
      this.#holes.splice(at, 1)
    }
  }

  #grow(end: number): void {
    const missing = end - this.memory.buffer.byteLength
    if (missing <= 0) return
    try {
      this.memory.grow(Math.ceil(missing / PAGE))
    } catch (error) {
      throw new OutOfMemoryError(
        `the platform refuses to grow a memory to ${formatMiB(end)}: use a smaller model or a shorter context`,
        { cause: error },
      )
    }
  }
}
