// The native backend: operations become commands (forward.ts, gradients.ts), and `read` runs them on the addon's threads.
import { InvalidOptionError, UnsupportedError } from "../../errors/errors.js"
import type { PageLayout, PageStore } from "../../ops/ops.js"
import { coreCount } from "../../platform/platform.js"
import { elements, type Scope, type Tensor } from "../../tensor/tensor.js"
import type { WeightKind } from "../../weights/kind.js"
import { type Backend, type BackendOptions, Interrupted, type WeightWriter } from "../backend.js"
import { NativeGradients } from "./gradients.js"
import { findAddon } from "./loader.js"
import { Machine } from "./machine.js"
import { NativePages } from "./pages.js"
import { checkExtents, NativeWeight, NativeWeightWriter, packedBytes } from "./weights.js"

/** For tests: another instruction set than the best one. */
export interface NativeInternals {
  readonly instructionSet?: string
}

const maxThreads = 64
/** More threads than this only wait for memory. */
const maxDefaultThreads = 16

export class NativeBackend extends NativeGradients implements Backend {
  readonly name = "native"
  readonly description: string

  /** Starts the threads. Throws InvalidOptionError, and UnsupportedError where there is no addon. */
  static async create(options: BackendOptions = {}, internals: NativeInternals = {}): Promise<NativeBackend> {
    const { threads } = options
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= maxThreads)) {
      throw new InvalidOptionError(`threads is ${threads}: expected a whole number from 1 to ${maxThreads}`)
    }
    const found = findAddon()
    if ("reason" in found) {
      throw new UnsupportedError(
        `the native backend does not run here: ${found.reason}; use the backend "wasm" or "auto"`,
      )
    }
    const { addon } = found
    const instructionSet = internals.instructionSet ?? addon.instructionSets[0]
    const machine = new Machine(addon, instructionSet, threads ?? Math.min(coreCount(), maxDefaultThreads))
    return new NativeBackend(machine, instructionSet, found.origin)
  }

  private constructor(machine: Machine, instructionSet: string, origin: string) {
    super(machine)
    const threads = `${machine.threads} thread${machine.threads === 1 ? "" : "s"}`
    this.description = `native: ${instructionSet}, ${threads}, ${origin}`
  }

  get threads(): number {
    return this.machine.threads
  }

  get interrupt(): Int32Array {
    return this.machine.interrupt
  }

  get allocatedBytes(): number {
    return this.machine.allocatedBytes
  }

  createWeight(kind: WeightKind, rows: number, columns: number): WeightWriter {
    this.machine.usable()
    checkExtents(kind, [rows, columns])
    const address = this.machine.hold(packedBytes(this.machine, kind, rows, columns))
    return new NativeWeightWriter(new NativeWeight([rows, columns], kind, address, this.machine))
  }

  createPages(layout: PageLayout): PageStore {
    this.machine.usable()
    return new NativePages(layout, this.machine)
  }

  scope(): Scope {
    return this.machine.openScope()
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    const source = this.machine.own(tensor)
    if (this.machine.flushAndTell()) throw new Interrupted()
    const values = new Float32Array(elements(source.shape))
    this.machine.addon.read(this.machine.handle, source.address, values)
    return values
  }

  async dispose(): Promise<void> {
    this.machine.dispose()
  }
}
