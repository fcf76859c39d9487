// The kernel program instantiated by one thread: once in every heap. Also the two operations that reach across
// heaps, which only JavaScript can do.
import { COMMAND_BYTES, CONTROL_END, SCRATCH_BYTES, THREAD_LINE, WORD_ARGS } from "./opcodes.js"

/** What kernels/main.ts exports. Addresses arrive as signed numbers: `>>> 0` before use in JavaScript. */
export interface Kernels {
  setup(thread: number, threads: number, scratch: number, wide: number): void
  execute(command: number): void
  lead(list: number, count: number, threads: number): number
  serve(seen: number): number
  pack(
    kind: number,
    source: number,
    sourceRowBytes: number,
    weight: number,
    first: number,
    count: number,
    rows: number,
    columns: number,
  ): void
}

/** Where a heap's allocations may start. */
export const heapStart = (threads: number): number => CONTROL_END + threads * (THREAD_LINE + SCRATCH_BYTES)

export class Instances {
  readonly kernels: Kernels[] = []
  readonly #memories: WebAssembly.Memory[] = []

  constructor(
    readonly module: WebAssembly.Module,
    readonly thread: number,
    readonly threads: number,
    readonly wide: boolean,
  ) {}

  /** Instantiates the program in a further heap. */
  add(memory: WebAssembly.Memory): Kernels {
    const { exports } = new WebAssembly.Instance(this.module, {
      env: { memory },
      host: { copy: (command: number) => this.#copy(command), run: (command: number) => this.#run(command) },
    })
    const kernels = exports as unknown as Kernels
    const scratch = heapStart(this.thread) + THREAD_LINE
    kernels.setup(this.thread, this.threads, scratch, this.wide ? 1 : 0)
    this.#memories.push(memory)
    this.kernels.push(kernels)
    return kernels
  }

  #args(command: number): Uint32Array {
    const words = new Uint32Array(this.#memories[0].buffer, command >>> 0, COMMAND_BYTES / 4)
    return words.subarray(WORD_ARGS)
  }

  /** Operands: heap and address of the source, heap and address of the target, bytes. */
  #copy(command: number): void {
    const [fromHeap, from, toHeap, to, bytes] = this.#args(command)
    const target = new Uint8Array(this.#memories[toHeap].buffer, to, bytes)
    target.set(new Uint8Array(this.#memories[fromHeap].buffer, from, bytes))
  }

  /** Operands: heap, address of the command there. */
  #run(command: number): void {
    const [heap, address] = this.#args(command)
    this.kernels[heap].execute(address)
  }
}
