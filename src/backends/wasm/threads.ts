// The threads of a backend: the calling one, and workers that sleep on shared memory between lists of commands.
// A worker that fails ends the run for all; after that the backend is of no more use.
import { EngineCrashedError } from "../../errors/errors.js"
import { coreCount, spawnWorker, type WorkerHandle } from "../../platform/platform.js"
import type { Program } from "./features.js"
import { Instances, type Kernels } from "./instances.js"
import {
  CELL_EPOCH,
  CELL_FAILED,
  CELL_GENERATION,
  CELL_INTERRUPT,
  CELL_MODE,
  CELL_PATIENCE,
  CELL_SPINS,
  FAILED_TIMEOUT,
  MODE_LEAVE,
  MODE_QUIT,
  RUN_FAILED,
  RUN_INTERRUPTED,
} from "./opcodes.js"

/** What a worker is told. */
export type ToWorker =
  | { type: "start"; module: WebAssembly.Module; thread: number; threads: number; wide: boolean }
  | { type: "heap"; memory: WebAssembly.Memory; epoch: number }
/** What it tells: that it has a further heap, or why it ends. */
export type FromWorker = { type: "ready" } | { type: "failed"; reason: string }

const startSeconds = 60
/** Looks at a cell before a thread sleeps: some 50 microseconds, and none to speak of where threads share cores. */
const spins = { alone: 100_000, crowded: 100 }
/** By this name bundlers do not take the worker for a file to be shipped as it is, beside the one that they bundle. */
const here = import.meta.url

export class Threads {
  readonly #instances: Instances
  readonly #workers: WorkerHandle[] = []
  #cells: Int32Array | undefined
  /** Answers that workers still owe, and who waits for all of them. */
  #owed = 0
  #waiting: (() => void)[] = []
  #failure: EngineCrashedError | undefined
  #ended = false

  constructor(
    program: Program,
    readonly count: number,
    readonly patienceSeconds: number,
  ) {
    this.#instances = new Instances(program.module, 0, count, program.wide)
    for (let thread = 1; thread < count; thread++) {
      const worker = spawnWorker({
        name: `cria-${thread}`,
        url: () => new URL("./thread.js", here),
        web: () => new Worker(new URL("./thread.js", import.meta.url), { type: "module" }),
      })
      worker.onMessage((message) => this.#receive(message as FromWorker))
      worker.onError((error) => this.#fail(`thread ${thread} failed: ${error.message}`))
      worker.onExit(() => this.#fail(`thread ${thread} ended`))
      const { module, wide } = program
      worker.post({ type: "start", module, thread, threads: count, wide } satisfies ToWorker)
      worker.unref()
      this.#workers.push(worker)
    }
  }

  /** Why these threads cannot be used any more, if so. */
  get failure(): EngineCrashedError | undefined {
    return this.#failure
  }

  /** Instantiates the kernels in a further heap, in every thread. */
  addHeap(memory: WebAssembly.Memory): Kernels {
    const kernels = this.#instances.add(memory)
    this.#cells ??= new Int32Array(memory.buffer)
    Atomics.store(this.#cells, CELL_PATIENCE / 4, this.patienceSeconds * 10)
    Atomics.store(this.#cells, CELL_SPINS / 4, this.count > coreCount() ? spins.crowded : spins.alone)
    if (this.#workers.length > 0) {
      const epoch = this.#announce(MODE_LEAVE)
      this.#owed += this.#workers.length
      for (const worker of this.#workers) worker.post({ type: "heap", memory, epoch } satisfies ToWorker)
    }
    return kernels
  }

  /** Resolves when every worker has every heap. Rejects when one fails or does not come up. */
  async ready(): Promise<void> {
    if (this.#owed > 0 && !this.#failure) {
      let timer: ReturnType<typeof setTimeout> | undefined
      // A worker that keeps quiet must not keep the process waiting, but a process waiting for it must not end.
      for (const worker of this.#workers) worker.ref()
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        timer = setTimeout(
          () => this.#fail(`a thread did not start within ${startSeconds} s`),
          startSeconds * 1000,
        )
      })
      clearTimeout(timer)
      for (const worker of this.#workers) worker.unref()
    }
    if (this.#failure) throw this.#failure
  }

  /** Runs a list of heap 0; alone while workers are not ready. Returns whether it was interrupted. */
  run(list: number, count: number): { interrupted: boolean } {
    if (this.#failure) throw this.#failure
    let state: number
    try {
      state = this.#instances.kernels[0].lead(list, count, this.#owed > 0 ? 1 : this.count)
    } catch (error) {
      this.#fail(`a kernel failed: ${String(error)}`, error)
      throw this.#failure
    }
    if (state === RUN_FAILED) {
      const failed = Atomics.load(this.#cells!, CELL_FAILED / 4)
      this.#fail(
        failed === FAILED_TIMEOUT
          ? `no thread made progress for ${this.patienceSeconds} s: one was probably ended from outside`
          : `thread ${failed - 1} failed in the middle of a step`,
      )
      throw this.#failure
    }
    return { interrupted: state === RUN_INTERRUPTED }
  }

  get interruptCell(): Int32Array {
    return this.#cells!.subarray(CELL_INTERRUPT / 4, CELL_INTERRUPT / 4 + 1)
  }

  /** Ends the workers. */
  async end(): Promise<void> {
    this.#ended = true
    if (this.#cells && this.#workers.length > 0) this.#announce(MODE_QUIT)
    this.#settle()
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()))
  }

  #announce(mode: number): number {
    const cells = this.#cells!
    Atomics.store(cells, CELL_MODE / 4, mode)
    const epoch = Atomics.add(cells, CELL_EPOCH / 4, 1) + 1
    Atomics.notify(cells, CELL_EPOCH / 4)
    return epoch
  }

  #receive(message: FromWorker): void {
    if (message.type === "failed") this.#fail(message.reason)
    else if (--this.#owed === 0) this.#settle()
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #fail(reason: string, cause?: unknown): void {
    if (this.#ended || this.#failure) return
    this.#failure = new EngineCrashedError(`${reason}: dispose of the model and load it again`, { cause })
    if (this.#cells && this.#workers.length > 0) {
      Atomics.compareExchange(this.#cells, CELL_FAILED / 4, 0, 1)
      Atomics.notify(this.#cells, CELL_GENERATION / 4)
    }
    this.#settle()
    // Nothing waits for their end: what they were computing is lost already.
    for (const worker of this.#workers) void worker.terminate()
  }
}
