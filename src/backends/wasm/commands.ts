// A heap as the recorder of operations sees it: its list of commands, and arenas for what they need.
import { Arena } from "./arena.js"
import type { Heap } from "./heap.js"
import type { Kernels } from "./instances.js"
import { COMMAND_BYTES, WORD_ARGS, WORD_NO_BARRIER, WORD_OP, WORD_UNITS, type Op } from "./opcodes.js"

/** Commands of a list; a step of a model of 28 layers records some 500. */
export const LIST_COMMANDS = 4096

/** The bits of a float32, as a command's operand. */
const floatWord = new Float32Array(1)
const floatBits = new Int32Array(floatWord.buffer)
export function real(value: number): number {
  floatWord[0] = value
  return floatBits[0]
}

/** Addresses of the tensors (or forms of tensors) that a command reads and writes, and which nothing else overlays. */
export interface Flow {
  readonly reads: readonly number[]
  readonly writes: number
}

export class Recorder {
  readonly list: number
  count = 0
  /** What the commands since the last wait write; empty when the last of them has no flow. */
  readonly #written = new Set<number>()
  /** Page tables, indices and the like: written when recorded, free when the list has run. */
  readonly data: Arena
  /** Operands and results of another heap's operation: free when that operation is recorded, since lists run in order. */
  readonly staging: Arena

  constructor(
    readonly heap: Heap,
    readonly kernels: Kernels,
  ) {
    this.list = heap.allocate(LIST_COMMANDS * COMMAND_BYTES)
    this.data = new Arena(heap, 256 * 1024)
    this.staging = new Arena(heap, 4 * 1024 * 1024)
  }

  /** Whether the list should run before a further operation is recorded: one operation may take many commands. */
  get full(): boolean {
    return this.count >= LIST_COMMANDS / 2
  }

  /**
   * Appends a command and returns its address. Threads wait for each other after every command, except where the
   * next one reads nothing that was written since the last wait: `flow` tells. A command without it is waited for
   * before and after.
   */
  record(op: Op, units: number, args: readonly number[], flow?: Flow): number {
    if (this.count === LIST_COMMANDS) throw new Error("an operation has too many tokens for one step")
    const address = this.list + this.count * COMMAND_BYTES
    const words = new Int32Array(this.heap.memory.buffer, address, COMMAND_BYTES / 4)
    words.fill(0)
    words[WORD_OP] = op
    words[WORD_UNITS] = units
    words.set(args, WORD_ARGS)
    if (flow && this.#written.size > 0 && !flow.reads.some((read) => this.#written.has(read))) {
      new Int32Array(this.heap.memory.buffer, address - COMMAND_BYTES, WORD_ARGS)[WORD_NO_BARRIER] = 1
    } else {
      this.#written.clear()
    }
    if (flow) this.#written.add(flow.writes)
    this.count++
    return address
  }

  /** Copies integers into the list's data. */
  integers(values: Int32Array): number {
    const address = this.data.allocate(values.byteLength)
    new Int32Array(this.heap.memory.buffer, address, values.length).set(values)
    return address
  }

  /** Forgets the list after it has run. */
  clear(): void {
    this.count = 0
    this.#written.clear()
    for (const arena of [this.data, this.staging]) {
      arena.reset()
      arena.trim()
    }
  }
}
