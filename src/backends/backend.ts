// What a backend is: the operations, and the memory they work on. One folder a backend beside this file.
import type { GradientOps } from "../ops/gradients.js"
import type { PageLayout, PageStore, Weight } from "../ops/ops.js"
import type { Scope, Tensor } from "../tensor/tensor.js"
import type { WeightKind } from "../weights/kind.js"

export type BackendName = "reference" | "wasm" | "native"

export interface BackendOptions {
  /** Threads that compute, the calling one included. Default: the machine's, where memory can be shared. */
  threads?: number
}

/** Receives the rows of a weight, in order, in the byte layout of `weights/kind.ts`, and repacks them as they come. */
export interface WeightWriter {
  /** Any number of whole rows; they follow those written before. The bytes are copied. */
  write(rows: Uint8Array): void
  /**
   * The same with rows of plain values, which become rows of an integer kind with the bits that `encodeRows` gives. False,
   * and nothing is written, where the backend does not do that, or where values cannot be kept: encode them first then.
   */
  encode?(from: "f32" | "f16" | "bf16", rows: Uint8Array): boolean
  /** Ends the weight. Throws when rows are missing. */
  finish(): Weight
}

/** Thrown by `Backend.read` when the interrupt cell was set: nothing that the step wrote may be relied on. */
export class Interrupted extends Error {
  constructor() {
    super("the step was interrupted")
    this.name = "Interrupted"
  }
}

/** A file that a backend has mapped into its memory, to be read. */
export interface MappedFile {
  /** Of a stretch of the file; equal to that of the weight it was written from. */
  checksum(offset: number, bytes: number): string
  /** The packed weight that starts at `offset`, a multiple of 64. It must lie in the file. */
  weight(kind: WeightKind, rows: number, columns: number, offset: number): Weight
  /** Unmaps it, where no weight was taken from it. */
  release(): void
}

/** How a backend gives out its packed weights, and takes them back as a file. */
export interface WeightPacking {
  /** Names the layout of packed weights: others cannot be read. Fit for a file's name. */
  readonly layout: string
  /** Bytes of a packed weight. */
  bytes(kind: WeightKind, rows: number, columns: number): number
  /** Of the packed bytes: a change of any of them changes it, unless someone means to deceive. */
  checksum(weight: Weight): string
  /**
   * Writes the packed weights in the background, at these offsets of the file `unfinished`, which then gets the name `path`.
   * It is removed when the backend ends before, and where writing fails.
   */
  keep(unfinished: string, path: string, weights: ReadonlyMap<Weight, number>): void
  /** Maps an open file for as long as the backend lives. */
  map(file: number, bytes: number): MappedFile
}

export interface Backend extends GradientOps {
  readonly name: BackendName
  readonly threads: number
  /** One line for people: what runs, with what features and how many threads. */
  readonly description: string
  /** Gives back what loading has taken and does not need any more. */
  trim?(): void
  /** Bytes of memory that the backend holds now. */
  readonly allocatedBytes: number
  /**
   * Another thread may store a non-zero value here (Atomics.store) to end the current step at the next
   * operation; `read` then throws Interrupted. Absent where memory cannot be shared. Whoever handles the
   * interruption stores 0 again.
   */
  readonly interrupt: Int32Array | undefined
  /** Present where packed weights can be kept on disk. */
  readonly packing?: WeightPacking
  createWeight(kind: WeightKind, rows: number, columns: number): WeightWriter
  createPages(layout: PageLayout): PageStore
  /** Opens a scope: see `Scope`. Nothing of a scope may be used after its end. */
  scope(): Scope
  /** Runs what was recorded and copies the values out: over those of `into` where it has as many, else into new memory. */
  read(tensor: Tensor, into?: Float32Array): Promise<Float32Array>
  /** Frees everything and ends the threads. */
  dispose(): Promise<void>
}
