// The heaps of a backend and what goes where: activations into heap 0, weights and pages into the first heap with
// room for them. Further heaps are made as needed.
import { OutOfMemoryError } from "../../errors/errors.js"
import { Recorder } from "./commands.js"
import { createMemory, formatMiB, Heap } from "./heap.js"
import { heapStart } from "./instances.js"
import type { Threads } from "./threads.js"

/** A stretch of some heap. */
export interface Place {
  readonly recorder: Recorder
  readonly address: number
  readonly bytes: number
}

export interface HeapLimits {
  /** Size of a heap, at most 4 GiB. */
  readonly heap: number
  /** How far weights, and then pages, may fill heap 0: the rest is for activations. */
  readonly weights: number
  readonly pages: number
  /** How much of every other heap stays free for the operands of its operations. */
  readonly margin: number
}

export const defaultLimits: HeapLimits = {
  // The last page stays out, so that no address computation wraps.
  heap: 2 ** 32 - 65536,
  weights: 2.5 * 2 ** 30,
  pages: 3 * 2 ** 30,
  margin: 256 * 2 ** 20,
}

export class Memories {
  readonly recorders: Recorder[] = []
  readonly #threads: Threads
  readonly #shared: boolean
  readonly #limits: HeapLimits

  constructor(threads: Threads, shared: boolean, limits: HeapLimits) {
    this.#threads = threads
    this.#shared = shared
    this.#limits = limits
    this.#add()
  }

  get usedBytes(): number {
    return this.recorders.reduce((sum, { heap }) => sum + heap.used, 0)
  }

  /** Memory for a weight, or for the pages of a layer. Throws OutOfMemoryError. */
  place(bytes: number, what: "weights" | "pages"): Place {
    for (const recorder of this.recorders) {
      if (recorder.heap.room(this.#limitOf(recorder.heap, what)) >= bytes) {
        return { recorder, bytes, address: recorder.heap.allocate(bytes) }
      }
    }
    const recorder = this.#add()
    const room = recorder.heap.room(this.#limitOf(recorder.heap, what))
    if (room < bytes) {
      throw new OutOfMemoryError(
        `${what === "weights" ? "a weight" : "a layer's cache"} of ${formatMiB(bytes)} does not fit into ` +
          `one memory of ${formatMiB(room)}: ${what === "weights" ? "use a smaller kind of weight" : "use a shorter context"}`,
      )
    }
    return { recorder, bytes, address: recorder.heap.allocate(bytes) }
  }

  #limitOf(heap: Heap, what: "weights" | "pages"): number {
    if (heap.index > 0) return heap.maximum - this.#limits.margin
    return Math.min(this.#limits[what], heap.maximum - this.#limits.margin)
  }

  #add(): Recorder {
    const memory = createMemory(this.#shared, this.#limits.heap)
    const kernels = this.#threads.addHeap(memory.memory)
    const heap = new Heap(
      this.recorders.length,
      memory.memory,
      heapStart(this.#threads.count),
      Math.min(memory.maximum, this.#limits.heap),
    )
    const recorder = new Recorder(heap, kernels)
    this.recorders.push(recorder)
    return recorder
  }
}
