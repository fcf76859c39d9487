// The native backend: operations become commands (forward.ts, gradients.ts), and `read` runs them on the addon's threads.
import { InvalidOptionError, UnsupportedError } from "../../errors/errors.js"
import type { PageLayout, PageStore } from "../../ops/ops.js"
import { coreCount } from "../../platform/platform.js"
import { elements, type Scope, type Tensor } from "../../tensor/tensor.js"
import type { WeightKind } from "../../weights/kind.js"
import { type Backend, type BackendOptions, Interrupted, type WeightWriter } from "../backend.js"
import type { Addon } from "./addon.js"
import { NativeGradients } from "./gradients.js"
import { findAddon } from "./loader.js"
import { Machine } from "./machine.js"
import { NativePacking } from "./packing.js"
import { NativePages } from "./pages.js"
import { selfCheck } from "./self-check.js"
import { createWeight } from "./weights.js"

/** For tests: another instruction set than the best one, another addon. */
export interface NativeInternals {
  readonly instructionSet?: string
  readonly addon?: Addon
}

const maxThreads = 64
/** More threads than this only wait for memory. */
const maxDefaultThreads = 16

interface Choice {
  readonly instructionSet: string
  /** What people should know about it. */
  readonly notes: readonly string[]
}
const choices = new WeakMap<Addon, Choice>()

/** The best instruction set whose kernels agree with the plainest one's. */
function choose(addon: Addon): Choice {
  const known = choices.get(addon)
  if (known) return known
  const sets = addon.instructionSets
  const plain = sets[sets.length - 1]
  const notes: string[] = []
  let instructionSet = plain
  for (const set of sets) {
    const wrong = set === plain ? undefined : selfCheck(addon, set, plain)
    if (wrong === undefined) {
      instructionSet = set
      break
    }
    notes.push(`not ${set} because its self-check failed (${wrong})`)
  }
  const choice = { instructionSet, notes }
  choices.set(addon, choice)
  return choice
}

export class NativeBackend extends NativeGradients implements Backend {
  readonly name = "native"

  /** Starts the threads. Throws InvalidOptionError, and UnsupportedError where there is no addon. */
  static async create(options: BackendOptions = {}, internals: NativeInternals = {}): Promise<NativeBackend> {
    const { threads } = options
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= maxThreads)) {
      throw new InvalidOptionError(`threads is ${threads}: expected a whole number from 1 to ${maxThreads}`)
    }
    const found = internals.addon ? { addon: internals.addon, origin: "given" } : findAddon()
    if ("reason" in found) {
      throw new UnsupportedError(
        `the native backend does not run here: ${found.reason}; use the backend "wasm" or "auto"`,
      )
    }
    const { addon } = found
    const { instructionSet, notes } = internals.instructionSet
      ? { instructionSet: internals.instructionSet, notes: [] }
      : choose(addon)
    const machine = new Machine(addon, instructionSet, threads ?? Math.min(coreCount(), maxDefaultThreads))
    const count = `${machine.threads} thread${machine.threads === 1 ? "" : "s"}`
    const packing = new NativePacking(machine, instructionSet)
    return new NativeBackend(
      machine,
      packing,
      ["native: " + instructionSet, count, found.origin, ...notes].join(", "),
    )
  }

  private constructor(
    machine: Machine,
    readonly packing: NativePacking,
    readonly description: string,
  ) {
    super(machine)
  }

  get threads(): number {
    return this.machine.threads
  }

  get interrupt(): Int32Array {
    return this.machine.interrupt
  }

  trim(): void {
    this.machine.trim()
  }

  get allocatedBytes(): number {
    return this.machine.allocatedBytes
  }

  createWeight(kind: WeightKind, rows: number, columns: number): WeightWriter {
    return createWeight(this.machine, kind, rows, columns)
  }

  createPages(layout: PageLayout): PageStore {
    this.machine.usable()
    return new NativePages(layout, this.machine)
  }

  scope(): Scope {
    return this.machine.openScope()
  }

  async read(tensor: Tensor, into?: Float32Array): Promise<Float32Array> {
    const source = this.machine.own(tensor)
    if (this.machine.flushAndTell()) throw new Interrupted()
    return this.machine.read(source.address, elements(source.shape), into)
  }

  async dispose(): Promise<void> {
    this.machine.dispose()
  }
}
