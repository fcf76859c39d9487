// The wasm backend: operations become commands in shared memory (opcodes.ts: which kernel does what), and `read`
// runs them on all threads. What a command computes is in kernels/; here is only where its operands lie.
import { DisposedError, InvalidOptionError } from "../../errors/errors.js"
import {
  checkAttention,
  checkEmbedding,
  checkLinear,
  checkRmsNorm,
  checkRope,
  checkRows,
  checkSame,
  matrix,
} from "../../ops/checks.js"
import type { PageLayout, PageStore, SequenceRows, Weight } from "../../ops/ops.js"
import { canBlock, coreCount } from "../../platform/platform.js"
import { elements, type Scope, type Shape, type Tensor } from "../../tensor/tensor.js"
import { isInteger, type WeightKind } from "../../weights/kind.js"
import { type Backend, type BackendOptions, Interrupted, type WeightWriter } from "../backend.js"
import { Arena } from "./arena.js"
import { recordAttention } from "./attention.js"
import { type Flow, real, type Recorder } from "./commands.js"
import { loadProgram, type Program, type ProgramChoice } from "./features.js"
import { align } from "./heap.js"
import { recordInterleave, recordLinear, recordQuantize, wholeTiles } from "./linear.js"
import { defaultLimits, type HeapLimits, Memories } from "./memories.js"
import { FLAT_UNIT, Op } from "./opcodes.js"
import { WasmPages } from "./pages.js"
import { type Form, WasmScope, WasmTensor } from "./tensor.js"
import { Threads } from "./threads.js"
import {
  checkExtents,
  layouts,
  packedBytes,
  quantizedBytes,
  WasmWeight,
  WasmWeightWriter,
} from "./weights.js"

/** For tests: smaller heaps, lesser features. */
export interface WasmInternals extends ProgramChoice {
  readonly limits?: Partial<HeapLimits>
  /** How long a step may stand still before its threads are given up. */
  readonly patienceSeconds?: number
}

const defaultPatienceSeconds = 30

const maxThreads = 64
/** More threads than this only wait for memory. */
const maxDefaultThreads = 16

export class WasmBackend implements Backend {
  readonly name = "wasm"
  readonly interrupt: Int32Array | undefined
  readonly #program: Program
  readonly #threads: Threads
  readonly #memories: Memories
  readonly #main: Recorder
  readonly #arena: Arena
  readonly #pages = new Set<WasmPages>()
  #scope: WasmScope | undefined
  #disposed = false

  /** Compiles the kernels and starts the threads. Throws InvalidOptionError, EngineCrashedError. */
  static async create(options: BackendOptions = {}, internals: WasmInternals = {}): Promise<WasmBackend> {
    const { threads } = options
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= maxThreads)) {
      throw new InvalidOptionError(`threads is ${threads}: expected a whole number from 1 to ${maxThreads}`)
    }
    const program = await loadProgram(internals)
    const several = program.shared && canBlock()
    const wanted = threads ?? Math.min(coreCount(), maxDefaultThreads)
    const backend = new WasmBackend(program, several ? wanted : 1, internals)
    try {
      await backend.#threads.ready()
    } catch (error) {
      await backend.dispose()
      throw error
    }
    return backend
  }

  private constructor(program: Program, threads: number, internals: WasmInternals) {
    const limits = { ...defaultLimits, ...internals.limits }
    this.#program = program
    this.#threads = new Threads(program, threads, internals.patienceSeconds ?? defaultPatienceSeconds)
    this.#memories = new Memories(this.#threads, program.shared, limits)
    this.#main = this.#memories.recorders[0]
    this.#arena = new Arena(this.#main.heap, Math.min(16 * 2 ** 20, limits.heap / 8))
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
        this.#flush()
        this.#pages.delete(store)
      },
    })
    this.#pages.add(pages)
    return pages
  }

  scope(): Scope {
    this.#usable()
    this.#scope = new WasmScope(this.#arena.mark(), this.#scope, (scope) => this.#endScope(scope))
    return this.#scope
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    const source = this.#own(tensor)
    await this.#threads.ready()
    this.#own(source)
    if (this.#flush()) throw new Interrupted()
    return new Float32Array(this.#main.heap.memory.buffer, source.address, elements(source.shape)).slice()
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
    const y = this.#make(shape)
    new Float32Array(this.#main.heap.memory.buffer, y.address, values.length).set(values)
    return y
  }

  embedding(table: Weight, ids: Int32Array): Tensor {
    const weight = this.#ownWeight(table)
    checkEmbedding(table, ids)
    const [rows, columns] = weight.shape
    const y = this.#make([ids.length, columns])
    const { recorder, address } = weight.place
    const local = recorder === this.#main
    const bytes = ids.length * columns * 4
    const target = local ? y.address : recorder.staging.allocate(bytes)
    const args = [address, recorder.integers(ids), target, columns, layouts[weight.kind].kind, rows]
    this.#recordIn(recorder, Op.Embedding, ids.length, args)
    if (!local) {
      this.#recordCopy(recorder, target, this.#main, y.address, bytes)
      recorder.staging.reset()
    }
    return y
  }

  linear(x: Tensor, weight: Weight): Tensor {
    const source = this.#own(x)
    const w = this.#ownWeight(weight)
    checkLinear(x, weight)
    const [tokens] = x.shape
    const y = this.#make([tokens, weight.shape[0]])
    const { address, stride } = this.#form(source, isInteger(w.kind))
    recordLinear(this.#recording, w, { tokens, address, stride, target: y.address })
    return y
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    checkRmsNorm(x, gain)
    const [tokens, columns] = x.shape
    const y = this.#make(x.shape)
    this.#record(Op.RmsNorm, tokens, y, [x, gain], [columns, real(epsilon)])
    return y
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    checkRope(x, rotation)
    const [tokens, columns] = x.shape
    const y = this.#make(x.shape)
    this.#record(Op.Rope, tokens, y, [x, rotation], [columns, rotation.shape[1]])
    return y
  }

  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor {
    const heads = checkAttention(query, key, value, sequences, headWidth, cache)
    const y = this.#make(query.shape)
    const [q, k, v] = [query, key, value].map((tensor) => this.#own(tensor).address)
    const pages = cache && this.#ownPages(cache.pages)
    const layer = cache && pages!.layers[cache.layer]
    if (cache && !layer) throw new Error(`layer ${cache.layer} of ${cache.pages.layout.layers}`)
    recordAttention(this.#recording, {
      ...heads,
      headWidth,
      tokens: query.shape[0],
      query: q,
      key: k,
      value: v,
      target: y.address,
      sequences,
      pages,
      layer,
    })
    return y
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    return this.#flat("swiGlu", Op.SwiGlu, gate, up)
  }

  add(x: Tensor, y: Tensor): Tensor {
    return this.#flat("add", Op.Add, x, y)
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    checkRows(x, indices)
    const source = this.#own(x)
    const [, columns] = x.shape
    const y = this.#make([indices.length, columns])
    const args = [source.address, this.#main.integers(indices), y.address, columns]
    this.#recordIn(this.#main, Op.CopyRows, indices.length, args)
    return y
  }

  /** What recordLinear and recordAttention may do to this backend. */
  readonly #recording = {
    main: (): Recorder => this.#main,
    record: (recorder: Recorder, op: Op, units: number, args: readonly number[], flow?: Flow): void =>
      this.#recordIn(recorder, op, units, args, flow),
    copy: (from: Recorder, address: number, to: Recorder, target: number, bytes: number): void =>
      this.#recordCopy(from, address, to, target, bytes),
  }

  #flat(name: string, op: Op, x: Tensor, y: Tensor): Tensor {
    checkSame(name, x, y)
    const sum = this.#make(x.shape)
    const count = elements(x.shape)
    this.#record(op, Math.ceil(count / FLAT_UNIT), sum, [x, y], [count])
    return sum
  }

  /** The activations as the kernels of a linear want them; made once for all linears of the same x. */
  #form(x: WasmTensor, quantized: boolean): Pick<Form, "address" | "stride"> {
    const { rows: tokens, columns } = matrix("linear", x)
    if (!quantized && tokens === 1) return { address: x.address, stride: columns * 4 }
    const known = quantized ? x.quantized : x.interleaved
    if (known && !known.scope?.ended) return known
    const stride = quantized ? align(quantizedBytes(columns)) : columns * 4
    const form = { address: this.#allocate(wholeTiles(tokens) * stride), stride, scope: this.#scope }
    const operands = { tokens, columns, source: x.address, target: form.address, stride }
    if (quantized) recordQuantize(this.#recording, operands)
    else recordInterleave(this.#recording, operands)
    if (quantized) x.quantized = form
    else x.interleaved = form
    return form
  }

  #copyPage(pages: WasmPages, from: number, to: number): void {
    this.#ownPages(pages)
    const { layerBytes } = pages
    for (const { recorder, address } of pages.layers) {
      const args = [address + from * layerBytes, address + to * layerBytes, layerBytes]
      this.#recordIn(recorder, Op.CopyPage, 1, args)
    }
  }

  #make(shape: Shape): WasmTensor {
    this.#usable()
    if (this.#main.full) this.#flush()
    return new WasmTensor(shape, this.#allocate(elements(shape) * 4), this, this.#scope)
  }

  #allocate(bytes: number): number {
    return this.#scope ? this.#arena.allocate(bytes) : this.#main.heap.allocate(bytes)
  }

  /** Records an operation that makes `y` from other tensors; `args` are where they are, and the rest. */
  #record(op: Op, units: number, y: WasmTensor, inputs: readonly Tensor[], rest: readonly number[]): void {
    const reads = inputs.map((input) => this.#own(input).address)
    this.#recordIn(this.#main, op, units, [...reads, y.address, ...rest], { reads, writes: y.address })
  }

  /** Records an operation on another heap's memory as a command there and a call of it in the main list. */
  #recordIn(recorder: Recorder, op: Op, units: number, args: readonly number[], flow?: Flow): void {
    const main = this.#main
    if (recorder === main) main.record(op, units, args, flow)
    else main.record(Op.RunInHeap, 1, [recorder.heap.index, recorder.record(op, units, args)])
  }

  #recordCopy(from: Recorder, address: number, to: Recorder, target: number, bytes: number): void {
    this.#main.record(Op.CopyBetweenHeaps, 1, [from.heap.index, address, to.heap.index, target, bytes])
  }

  /** Runs all that was recorded. Returns whether it was interrupted. */
  #flush(): boolean {
    this.#usable()
    const { count, list } = this.#main
    try {
      return this.#threads.run(list, count).interrupted
    } finally {
      for (const recorder of this.#memories.recorders) recorder.clear()
    }
  }

  #endScope(scope: WasmScope): void {
    if (scope !== this.#scope) throw new Error("scopes must end in the reverse order of their beginning")
    // An interrupted or failed run is told by the next read; here memory is given back in any case.
    try {
      if (this.#main.count > 0 && !this.#disposed && !this.#threads.failure) this.#flush()
    } finally {
      scope.ended = true
      this.#scope = scope.outer
      this.#arena.reset(scope.mark)
      this.#arena.trim()
    }
  }

  #usable(): void {
    if (this.#disposed) throw new DisposedError()
    if (this.#threads.failure) throw this.#threads.failure
  }

  #own(tensor: Tensor): WasmTensor {
    this.#usable()
    if (!(tensor instanceof WasmTensor) || tensor.owner !== this)
      throw new Error("a tensor of another backend")
    if (tensor.scope?.ended) throw new Error("a tensor was used after the end of its scope")
    return tensor
  }

  #ownWeight(weight: Weight): WasmWeight {
    if (!(weight instanceof WasmWeight) || weight.owner !== this)
      throw new Error("a weight of another backend")
    return weight
  }

  #ownPages(pages: PageStore): WasmPages {
    if (!(pages instanceof WasmPages) || pages.owner !== this) throw new Error("pages of another backend")
    if (pages.freed) throw new Error("pages were used after they were freed")
    return pages
  }
}
