// What every format is read into: named tensors with shapes and encodings, and the way to their bytes. Knows
// neither a format nor what the tensors mean.
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { encodedBytes, type Encoding } from "../weights/index.js"
import type { ByteSource } from "./byte-source.js"

export interface TensorEntry {
  readonly name: string
  /** Row-major, outermost dimension first (GGUF's order reversed). Empty for a scalar. */
  readonly shape: readonly number[]
  readonly encoding: Encoding
  readonly byteLength: number
}

export interface TensorFile {
  readonly format: "safetensors" | "gguf" | "pth" | "llama2c"
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, unknown>
  /** Fills `into` with bytes of the tensor, from byte `offset` of the tensor. */
  read(name: string, offset: number, into: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** A tensor and where its first byte lies. */
export interface PlacedTensor extends TensorEntry {
  readonly source: ByteSource
  readonly offset: number
}

/** A tensor file over tensors whose places are known and checked. */
export function placedTensorFile(
  format: TensorFile["format"],
  placed: ReadonlyMap<string, PlacedTensor>,
  metadata: ReadonlyMap<string, unknown>,
  sources: readonly ByteSource[],
): TensorFile {
  return {
    format,
    tensors: placed,
    metadata,
    read: async (name, offset, into) => {
      const tensor = placed.get(name)
      if (tensor === undefined)
        throw new InvalidOptionError(
          `no tensor ${name} in ${sources.map((source) => source.name).join(", ")}`,
        )
      if (offset < 0 || offset + into.length > tensor.byteLength)
        throw new InvalidOptionError(
          `tensor ${name} has ${tensor.byteLength} bytes, asked for ${offset} to ${offset + into.length}`,
        )
      await tensor.source.read(tensor.offset + offset, into)
    },
    close: async () => {
      await Promise.all(sources.map((source) => source.close()))
    },
  }
}

const maxRank = 16

/** Number of values of a shape; InvalidFileError unless it is a short list of counts whose product is exact. */
export function countValues(shape: readonly unknown[], what: string): number {
  if (shape.length > maxRank)
    throw new InvalidFileError(`${what} has ${shape.length} dimensions; at most ${maxRank} are believable`)
  let count = 1
  for (const length of shape) {
    if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 0)
      throw new InvalidFileError(
        `${what} has the impossible dimension ${JSON.stringify(length)?.slice(0, 40)}`,
      )
    count *= length
    if (!Number.isSafeInteger(count))
      throw new InvalidFileError(
        `${what} has the shape [${shape.join(", ")}], more values than any file holds`,
      )
  }
  return count
}

/** Bytes of a tensor of this shape; InvalidFileError where its rows do not fill whole blocks. */
export function tensorBytes(encoding: Encoding, shape: readonly number[], what: string): number {
  const count = countValues(shape, what)
  const columns = shape.at(-1) ?? 1
  try {
    encodedBytes(encoding, columns)
    return encodedBytes(encoding, count)
  } catch (error) {
    throw new InvalidFileError(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** InvalidFileError when two tensors of one source share bytes. */
export function checkNoOverlap(tensors: Iterable<PlacedTensor>): void {
  const sorted = [...tensors]
    .filter((tensor) => tensor.byteLength > 0)
    .toSorted((a, b) => a.offset - b.offset)
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1], sorted[i]]
    if (before.offset + before.byteLength > after.offset)
      throw new InvalidFileError(`${after.source.name}: the tensors ${before.name} and ${after.name} overlap`)
  }
}
