// What all operations of the wasm backend stand on: memory, scopes, and the list of commands that all threads run.
import { DisposedError } from "../../errors/errors.js"
import type { PageLayout, PageStore, Weight } from "../../ops/ops.js"
import { elements, type Scope, type Shape, type Tensor } from "../../tensor/tensor.js"
import type { WeightKind } from "../../weights/kind.js"
import { Interrupted, type WeightWriter } from "../backend.js"
import { Arena } from "./arena.js"
import type { Flow, Recorder } from "./commands.js"
import type { Program, ProgramChoice } from "./features.js"
import { defaultLimits, type HeapLimits, Memories } from "./memories.js"
import { Op } from "./opcodes.js"
import { WasmPages } from "./pages.js"
import { WasmScope, WasmTensor } from "./tensor.js"
import { Threads } from "./threads.js"
import { checkExtents, packedBytes, WasmWeight, WasmWeightWriter } from "./weights.js"

/** For tests: smaller heaps, lesser features. */
export interface WasmInternals extends ProgramChoice {
  readonly limits?: Partial<HeapLimits>
  /** How long a step may stand still before its threads are given up. */
  readonly patienceSeconds?: number
}

const defaultPatienceSeconds = 30

export abstract class WasmMachine {
  readonly interrupt: Int32Array | undefined
  readonly #program: Program
  readonly #threads: Threads
  readonly #memories: Memories
  protected readonly main: Recorder
  readonly #arena: Arena
  readonly #pages = new Set<WasmPages>()
  #scope: WasmScope | undefined
  #disposed = false

  protected constructor(program: Program, threads: number, internals: WasmInternals) {
    const limits = { ...defaultLimits, ...internals.limits }
    this.#program = program
    this.#threads = new Threads(program, threads, internals.patienceSeconds ?? defaultPatienceSeconds)
    this.#memories = new Memories(this.#threads, program.shared, limits)
    this.main = this.#memories.recorders[0]
    this.#arena = new Arena(this.main.heap, Math.min(16 * 2 ** 20, limits.heap / 8))
    this.interrupt = program.shared ? this.#threads.interruptCell : undefined
  }

  get threads(): number {
    return this.#threads.count
  }

  get description(): string {
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`
    const heaps = this.#memories.recorders.length
    return `wasm: ${this.#program.features}, ${count(this.threads, "thread")}, ${count(heaps, "heap")}`
  }

  get allocatedBytes(): number {
    let bytes = this.#disposed ? 0 : this.#memories.usedBytes
    for (const pages of this.#pages) bytes += pages.usedBytes - pages.spaceBytes
    return bytes
  }

  createWeight(kind: WeightKind, rows: number, columns: number): WeightWriter {
    this.#usable()
    const shape = [rows, columns] as const
    checkExtents(kind, shape)
    const place = this.#memories.place(packedBytes(kind, rows, columns), "weights")
    return new WasmWeightWriter(new WasmWeight(shape, kind, place, this))
  }

  createPages(layout: PageLayout): PageStore {
    this.#usable()
    const pages = new WasmPages(layout, this.#memories, this, {
      copy: (store, from, to) => this.#copyPage(store, from, to),
      free: (store) => {
        this.flush()
        this.#pages.delete(store)
      },
    })
    this.#pages.add(pages)
    return pages
  }

  scope(): Scope {
    this.#usable()
    this.#scope = new WasmScope(this.#arena.mark(), this.#scope, (scope, keep) => this.#endScope(scope, keep))
    return this.#scope
  }

  async read(tensor: Tensor, into?: Float32Array): Promise<Float32Array> {
    const source = this.own(tensor)
    await this.#threads.ready()
    this.own(source)
    if (this.flush()) throw new Interrupted()
    const values = this.#valuesOf(source)
    if (into?.length !== values.length) return values.slice()
    into.set(values)
    return into
  }

  /** Resolves when every thread has every heap. */
  protected async ready(): Promise<void> {
    await this.#threads.ready()
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    this.#pages.clear()
    await this.#threads.end()
  }

  tensor(values: Float32Array, shape: Shape): Tensor {
    if (values.length !== elements(shape)) {
      throw new Error(`${values.length} values for a tensor of ${elements(shape)} elements`)
    }
    // Memory that recorded operations still use may come back as this tensor's: only a scope's end frees any, and
    // that runs the list first.
    const y = this.make(shape)
    this.#valuesOf(y).set(values)
    return y
  }

  /** What recordLinear and recordAttention may do to this backend. */
  protected readonly recording = {
    main: (): Recorder => this.main,
    record: (recorder: Recorder, op: Op, units: number, args: readonly number[], flow?: Flow): void =>
      this.recordIn(recorder, op, units, args, flow),
    copy: (from: Recorder, address: number, to: Recorder, target: number, bytes: number): void =>
      this.recordCopy(from, address, to, target, bytes),
  }

  #copyPage(pages: WasmPages, from: number, to: number): void {
    this.ownPages(pages)
    const { layerBytes } = pages
    for (const { recorder, address } of pages.layers) {
      const args = [address + from * layerBytes, address + to * layerBytes, layerBytes]
      this.recordIn(recorder, Op.CopyPage, 1, args)
    }
  }

  /** To be called before an operation is recorded: there is room for its commands afterwards. */
  protected begin(): void {
    this.#usable()
    if (this.main.full) this.flush()
  }

  protected make(shape: Shape): WasmTensor {
    this.begin()
    return new WasmTensor(shape, this.allocate(elements(shape) * 4), this, this.#scope)
  }

  /** The scope that tensors made now belong to. */
  protected get openScope(): WasmScope | undefined {
    return this.#scope
  }

  protected allocate(bytes: number): number {
    return this.#scope ? this.#arena.allocate(bytes) : this.main.heap.allocate(bytes)
  }

  /** Records an operation that makes `y` from other tensors; `args` are where they are, and the rest. */
  protected record(
    op: Op,
    units: number,
    y: WasmTensor,
    inputs: readonly Tensor[],
    rest: readonly number[],
  ): void {
    const reads = inputs.map((input) => this.own(input).address)
    this.recordIn(this.main, op, units, [...reads, y.address, ...rest], { reads, writes: y.address })
  }

  /** Records an operation on another heap's memory as a command there and a call of it in the main list. */
  protected recordIn(recorder: Recorder, op: Op, units: number, args: readonly number[], flow?: Flow): void {
    const main = this.main
    if (recorder === main) main.record(op, units, args, flow)
    else main.record(Op.RunInHeap, 1, [recorder.heap.index, recorder.record(op, units, args)])
  }

  protected recordCopy(from: Recorder, address: number, to: Recorder, target: number, bytes: number): void {
    this.main.record(Op.CopyBetweenHeaps, 1, [from.heap.index, address, to.heap.index, target, bytes])
  }

  /** Runs all that was recorded. Returns whether it was interrupted. */
  protected flush(): boolean {
    this.#usable()
    const { count, list } = this.main
    try {
      return this.#threads.run(list, count).interrupted
    } finally {
      for (const recorder of this.#memories.recorders) recorder.clear()
    }
  }

  #endScope(scope: WasmScope, keep: readonly Tensor[]): void {
    if (scope !== this.#scope) throw new Error("scopes must end in the reverse order of their beginning")
    const kept = new Set(keep.map((tensor) => this.own(tensor)).filter((tensor) => tensor.scope === scope))
    let values: [WasmTensor, Float32Array][] = []
    // An interrupted or failed run is told by the next read; here memory is given back in any case.
    try {
      if (this.main.count > 0 && !this.#disposed && !this.#threads.failure) this.flush()
      values = [...kept].map((tensor) => [tensor, this.#valuesOf(tensor).slice()])
    } finally {
      scope.ended = true
      this.#scope = scope.outer
      this.#arena.reset(scope.mark)
      this.#arena.trim()
    }
    for (const [tensor, copy] of values) {
      tensor.move(this.allocate(copy.byteLength), scope.outer)
      this.#valuesOf(tensor).set(copy)
    }
  }

  #valuesOf({ address, shape }: WasmTensor): Float32Array {
    return new Float32Array(this.main.heap.memory.buffer, address, elements(shape))
  }

  #usable(): void {
    if (this.#disposed) throw new DisposedError()
    if (this.#threads.failure) throw this.#threads.failure
  }

  protected own(tensor: Tensor): WasmTensor {
    this.#usable()
    if (!(tensor instanceof WasmTensor) || tensor.owner !== this)
      throw new Error("a tensor of another backend")
    if (tensor.scope?.ended) throw new Error("a tensor was used after the end of its scope")
    return tensor
  }

  protected ownWeight(weight: Weight): WasmWeight {
    if (!(weight instanceof WasmWeight) || weight.owner !== this)
      throw new Error("a weight of another backend")
    if (weight.scope?.ended) throw new Error("a weight was used after the end of its scope")
    return weight
  }

  protected ownPages(pages: PageStore): WasmPages {
    if (!(pages instanceof WasmPages) || pages.owner !== this) throw new Error("pages of another backend")
    if (pages.freed) throw new Error("pages were used after they were freed")
    return pages
  }
}
