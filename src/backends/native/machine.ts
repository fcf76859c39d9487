// What all recorders of operations share: the addon's machine, the list of commands, memory with its scopes, and the
// check that an operand is this backend's and still alive.
import { DisposedError, OutOfMemoryError } from "../../errors/errors.js"
import type { PageStore, Weight } from "../../ops/ops.js"
import { memoryLimit } from "../../platform/platform.js"
import { elements, type Shape, type Tensor } from "../../tensor/tensor.js"
import { type Addon, type Handle, type Operation, operations } from "./addon.js"
import { Arena, formatMiB } from "./arena.js"
import { CommandList } from "./commands.js"
import { NativePages } from "./pages.js"
import { NativeScope, NativeTensor } from "./tensor.js"
import { NativeWeight } from "./weights.js"

/** Commands run when this many words are recorded, even if nobody reads a result yet. */
const fullList = 256 * 1024
/** Page tables, indices and the like of one list. */
const dataBytes = 2 ** 30

type Question =
  | "packedBytes"
  | "packUnits"
  | "formBytes"
  | "formUnits"
  | "linearUnits"
  | "inputGradientBytes"
  | "inputGradientPackUnits"
  | "inputGradientUnits"
  | "weightGradientTokens"
  | "weightGradientBytes"
  | "weightGradientPackUnits"
  | "weightGradientUnits"
  | "rmsNormGradientUnits"
  | "pageBytes"
  | "attentionTile"
  | "attentionRange"
  | "attentionPartBytes"

export class Machine {
  readonly handle: Handle
  readonly interrupt = new Int32Array(new SharedArrayBuffer(4))
  readonly pages = new Set<NativePages>()
  /** Bytes of weights and of tensors outside of any scope. */
  heldBytes = 0
  /** Lists of commands that have run. What `integers` and `reals` gave is good for one list. */
  lists = 0
  /** Bytes of weights that lie in mapped files. */
  mappedBytes = 0
  readonly #list: CommandList
  /** A single command that runs at once. */
  readonly #immediate: CommandList
  readonly #arena: Arena
  /** Integers that commands read: written when recorded, free when the list has run. */
  readonly #data: Arena
  /** What only commands write, for the length of one operation: lists run in order. */
  readonly staging: Arena
  #scope: NativeScope | undefined
  /** A run was interrupted, and nobody was told yet. */
  #lost = false
  #loading = { address: 0, bytes: 0 }
  #disposed = false

  constructor(
    readonly addon: Addon,
    instructionSet: string,
    readonly threads: number,
  ) {
    const opcodes = Object.fromEntries(operations.map((name) => [name, addon.operations.indexOf(name)]))
    this.#list = new CommandList(opcodes as Record<Operation, number>)
    this.#immediate = new CommandList(opcodes as Record<Operation, number>)
    this.handle = addon.create(instructionSet, threads)
    try {
      const limit = memoryLimit()
      this.#arena = new Arena(addon, this.handle, limit)
      this.staging = new Arena(addon, this.handle, limit)
      this.#data = new Arena(addon, this.handle, dataBytes)
    } catch (error) {
      addon.end(this.handle)
      throw error
    }
  }

  get disposed(): boolean {
    return this.#disposed
  }

  get allocatedBytes(): number {
    if (this.#disposed) return 0
    let bytes = this.heldBytes + this.mappedBytes
    for (const arena of [this.#arena, this.staging, this.#data]) bytes += arena.residentBytes
    for (const pages of this.pages) bytes += pages.usedBytes
    return bytes
  }

  /** Asks the kernels about their layout. */
  ask(question: Question, ...numbers: number[]): number {
    const answer: (machine: Handle, ...numbers: number[]) => number = this.addon[question]
    return answer(this.handle, ...numbers)
  }

  /** Memory until the backend's end, zeros. Throws OutOfMemoryError. */
  hold(bytes: number): number {
    const address = this.addon.allocate(this.handle, bytes)
    if (address === 0)
      throw new OutOfMemoryError(`the system grants no ${formatMiB(bytes)} more: use a smaller model`)
    this.heldBytes += bytes
    return address
  }

  /** A buffer for rows on their way into a weight; the next call may give the same one. */
  loading(bytes: number): number {
    if (this.#loading.bytes < bytes) {
      this.#releaseLoading()
      this.#loading = { address: this.hold(bytes), bytes }
    }
    return this.#loading.address
  }

  /** Gives back what loading has taken and does not need any more. */
  trim(): void {
    this.#releaseLoading()
    this.addon.trim()
  }

  #releaseLoading(): void {
    if (this.#loading.bytes > 0) this.addon.release(this.handle, this.#loading.address)
    this.heldBytes -= this.#loading.bytes
    this.#loading = { address: 0, bytes: 0 }
  }

  /** Memory of the open scope, or until the backend's end. */
  allocate(bytes: number): number {
    return this.#scope ? this.#arena.allocate(bytes) : this.hold(bytes)
  }

  make(shape: Shape): NativeTensor {
    this.usable()
    if (this.#list.length > fullList) this.flush()
    return new NativeTensor(shape, this.allocate(elements(shape) * 4), this, this.#scope)
  }

  write(address: number, values: ArrayBufferView): void {
    this.addon.write(this.handle, address, values)
  }

  read(address: number, count: number, into?: Float32Array): Float32Array {
    const values = into?.length === count ? into : new Float32Array(count)
    this.addon.read(this.handle, address, values)
    return values
  }

  /** Copies integers to where the commands of this list can read them. */
  integers(values: Int32Array): number {
    return this.#copied(values)
  }

  reals(values: Float32Array | Float64Array): number {
    return this.#copied(values)
  }

  #copied(values: ArrayBufferView): number {
    const address = this.#data.allocate(values.byteLength)
    this.write(address, values)
    return address
  }

  record(operation: Operation, units: number, operands: readonly number[]): void {
    this.usable()
    this.#list.record(operation, units, operands)
  }

  /** Runs one command now, before all that is recorded. It cannot be interrupted. */
  runNow(operation: Operation, units: number, operands: readonly number[]): void {
    this.usable()
    this.#immediate.clear()
    this.#immediate.record(operation, units, operands)
    this.addon.run(this.handle, this.#immediate.words, this.#immediate.length, undefined)
  }

  /** Runs all that was recorded. */
  flush(): void {
    this.usable()
    if (this.#list.length === 0) return
    this.lists++
    const done = this.addon.run(this.handle, this.#list.words, this.#list.length, this.interrupt)
    if (!done) this.#lost = true
    this.#list.clear()
    this.#data.reset()
    this.staging.reset()
  }

  /** Runs all that was recorded and says whether that, or an earlier run that was not asked about, was interrupted. */
  flushAndTell(): boolean {
    this.flush()
    const interrupted = this.#lost || Atomics.load(this.interrupt, 0) !== 0
    this.#lost = false
    return interrupted
  }

  openScope(): NativeScope {
    this.usable()
    this.#scope = new NativeScope(this.#arena.mark(), this.#scope, (scope, keep) =>
      this.#endScope(scope, keep),
    )
    return this.#scope
  }

  get scope(): NativeScope | undefined {
    return this.#scope
  }

  #endScope(scope: NativeScope, keep: readonly Tensor[]): void {
    if (scope !== this.#scope) throw new Error("scopes must end in the reverse order of their beginning")
    const kept = [...new Set(keep)]
      .map((tensor) => this.own(tensor))
      .filter((tensor) => tensor.scope === scope)
    scope.ended = true
    this.#scope = scope.outer
    if (this.#disposed) return
    // Before memory is given back: operations may have been recorded for what they change outside of the scope.
    this.flush()
    this.#arena.reset(scope.mark)
    // In the order of their addresses, so that none is moved onto another that is still to be moved.
    for (const tensor of kept.toSorted((a, b) => a.address - b.address)) {
      const address = this.allocate(tensor.bytes)
      this.addon.move(this.handle, tensor.address, address, tensor.bytes)
      tensor.moveTo(address, scope.outer)
    }
  }

  usable(): void {
    if (this.#disposed) throw new DisposedError()
  }

  own(tensor: Tensor): NativeTensor {
    this.usable()
    if (!(tensor instanceof NativeTensor) || tensor.owner !== this)
      throw new Error("a tensor of another backend")
    if (tensor.scope?.ended) throw new Error("a tensor was used after the end of its scope")
    return tensor
  }

  ownWeight(weight: Weight): NativeWeight {
    this.usable()
    if (!(weight instanceof NativeWeight) || weight.owner !== this)
      throw new Error("a weight of another backend")
    if (weight.scope?.ended) throw new Error("a weight was used after the end of its scope")
    if (weight.source && weight.source.changes !== weight.changes)
      throw new Error("a weight was used after the tensor that it was made of had changed")
    return weight
  }

  ownPages(pages: PageStore): NativePages {
    this.usable()
    if (!(pages instanceof NativePages) || pages.owner !== this) throw new Error("pages of another backend")
    if (pages.freed) throw new Error("pages were used after they were freed")
    return pages
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.pages.clear()
    this.addon.end(this.handle)
  }
}
