// The addon as TypeScript sees it: what addon/addon.cc exports.

/** A machine of the addon: memory, threads and the kernels of one instruction set. Opaque. */
export type Handle = object

export interface Addon {
  /** Number of this interface: see `addonVersion`. */
  readonly version: number
  /** Names the layouts of packed weights: another build's may differ. */
  readonly layout: string
  /** Instruction sets that were built and that this processor runs, the best first. */
  readonly instructionSets: readonly string[]
  /** Names of the operations; the index is the opcode. */
  readonly operations: readonly string[]

  create(instructionSet: string, threads: number): Handle
  end(machine: Handle): void
  /** Runs the commands in the first `count` words. False where the interrupt cell ended it early. */
  run(machine: Handle, words: Float64Array, count: number, interrupt: Int32Array | undefined): boolean

  /** Address of zeros; 0 where there is no memory. The first `small` bytes, by default none, are not in huge pages. */
  allocate(machine: Handle, bytes: number, small?: number): number
  /** Address space without memory; 0 where it is refused. `small` as for `allocate`. */
  reserve(machine: Handle, bytes: number, small?: number): number
  commit(machine: Handle, address: number, bytes: number): boolean
  discard(machine: Handle, address: number, bytes: number): void
  /** Maps a part of a file to be read; 0 where that fails. It stays when the file is closed. */
  map(machine: Handle, file: number, offset: number, bytes: number): number
  release(machine: Handle, address: number): void
  /** Gives memory that the process has freed back to the system: the C library keeps it otherwise. */
  trim(): void
  write(machine: Handle, address: number, values: ArrayBufferView): void
  /** The stretches may overlap. */
  move(machine: Handle, from: number, to: number, bytes: number): void
  read(machine: Handle, address: number, into: ArrayBufferView): void

  /**
   * Writes pieces of memory (address, bytes, offset in the file), which must stay as they are, into the file `unfinished` in
   * the background. It has its name once it is whole. False while another is being written.
   */
  keep(machine: Handle, unfinished: string, path: string, pieces: Float64Array): boolean

  // The kernels' layouts: see `Layout` in kernels/command.h. `kind` is the index in `weightKinds`.
  packedBytes(machine: Handle, kind: number, rows: number, columns: number): number
  packUnits(machine: Handle, kind: number, first: number, count: number): number
  formBytes(machine: Handle, kind: number, tokens: number, columns: number): number
  formUnits(machine: Handle, kind: number, tokens: number): number
  linearUnits(machine: Handle, kind: number, tokens: number, rows: number, columns: number): number
  inputGradientBytes(machine: Handle, rows: number, columns: number): number
  inputGradientPackUnits(machine: Handle, rows: number): number
  inputGradientUnits(machine: Handle, tokens: number, columns: number): number
  weightGradientTokens(machine: Handle, rows: number, columns: number): number
  weightGradientBytes(machine: Handle, tokens: number, rows: number, columns: number): number
  weightGradientPackUnits(machine: Handle, tokens: number): number
  weightGradientUnits(machine: Handle, rows: number, columns: number): number
  rmsNormGradientUnits(machine: Handle, rows: number): number
  pageBytes(machine: Handle, kvHeads: number, headWidth: number, pageTokens: number, element: number): number
  attentionTile(machine: Handle, group: number, headWidth: number): number
  attentionRange(machine: Handle, pageTokens: number): number
  attentionPartBytes(machine: Handle, rows: number, headWidth: number): number
}

/** The version of the interface above that this code speaks; addon.cc has the same number. */
export const addonVersion = 1

/** The operations of kernels/operations.h that are recorded from here. */
export const operations = [
  "Embedding",
  "EmbeddingGradient",
  "CopyRows",
  "RowsGradient",
  "Checksum",
  "EncodeRows",
  "RmsNorm",
  "Rope",
  "SwiGlu",
  "Add",
  "Scale",
  "Fill",
  "Accumulate",
  "PackInt",
  "QuantizeRows",
  "LinearInt",
  "PackDense",
  "FormDense",
  "LinearDense",
  "PackInputGradient",
  "LinearInputGradient",
  "PackWeightGradient",
  "LinearWeightGradient",
  "RmsNormGradient",
  "AddParts",
  "SwiGluGradient",
  "StoreKeysValues",
  "CopyPage",
  "Attention",
  "MergeAttention",
  "AttentionGradient",
  "LogProbabilities",
  "LogProbabilitiesGradient",
  "CrossEntropy",
  "CrossEntropyGradient",
  "SquaredNormParts",
  "SumParts",
  "AdamW",
] as const
export type Operation = (typeof operations)[number]
