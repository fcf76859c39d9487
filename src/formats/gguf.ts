// GGUF files, alone or split into parts: a header with typed metadata and the table of tensors, then the tensors,
// each at a multiple of the alignment.
import { InvalidFileError } from "../errors/index.js"
import { encodingOfGgmlType } from "../weights/index.js"
import { type ByteSource, readBytes, takingOver } from "./byte-source.js"
import { type GgufHeader, maxHeaderBytes, parseGgufHeader, PrefixTooShort } from "./gguf-header.js"
import { type GgufValue, plainGgufValue } from "./gguf-values.js"
import {
  checkNoOverlap,
  type PlacedTensor,
  placedTensorFile,
  tensorBytes,
  type TensorFile,
} from "./tensor-file.js"

export interface GgufFile extends TensorFile {
  readonly format: "gguf"
  /** Metadata with the types of the file; `metadata` has the same keys with plain values. */
  readonly typedMetadata: ReadonlyMap<string, GgufValue>
  /** Takes entries out of both, so that their memory is free. */
  dropMetadata(keys: readonly string[]): void
}

/** Parts of one model; the naming scheme has five digits, published models fewer than 100 parts. */
const maxParts = 1024

/**
 * Opens a GGUF file and takes over its sources: one, or all parts of a split model in order
 * (`-00001-of-00003.gguf` first, whose metadata counts). Plain metadata values: numbers (bigint where a 64-bit
 * integer is not exact), booleans, strings, typed arrays of numbers, arrays of the rest.
 */
export const openGguf = (parts: ByteSource | readonly ByteSource[]): Promise<GgufFile> => {
  const sources: readonly ByteSource[] = "read" in parts ? [parts] : parts
  return takingOver(sources, async () => {
    if (sources.length === 0 || sources.length > maxParts)
      throw new InvalidFileError(`a GGUF model of ${sources.length} parts; expected 1 to ${maxParts}`)
    const all = new Map<string, PlacedTensor>()
    let typedMetadata = new Map<string, GgufValue>()
    for (const [number, source] of sources.entries()) {
      const header = await readHeader(source)
      checkPart(source, header, number, sources.length)
      if (number === 0) typedMetadata = header.metadata
      for (const tensor of placeTensors(source, header)) {
        const other = all.get(tensor.name)
        if (other !== undefined)
          throw new InvalidFileError(
            `the tensor ${tensor.name.slice(0, 200)} is in ${source.name} ` +
              (other.source === source ? "twice" : `and in ${other.source.name}`),
          )
        all.set(tensor.name, tensor)
      }
    }
    const metadata = new Map([...typedMetadata].map(([key, value]) => [key, plainGgufValue(value)]))
    const total = typedMetadata.get("split.tensors.count")?.value
    if (sources.length > 1 && total !== undefined && total !== all.size)
      throw new InvalidFileError(
        `the parts of ${sources[0].name} hold ${all.size} tensors, but should hold ${Number(total)}`,
      )
    const dropMetadata = (keys: readonly string[]) => {
      for (const key of keys) {
        metadata.delete(key)
        typedMetadata.delete(key)
      }
    }
    return {
      ...placedTensorFile("gguf", all, metadata, sources),
      format: "gguf",
      typedMetadata,
      dropMetadata,
    }
  })
}

async function readHeader(source: ByteSource): Promise<GgufHeader> {
  let length = Math.min(source.size, 2 ** 20)
  for (;;) {
    const prefix = await readBytes(source, 0, length, "the GGUF header")
    try {
      return parseGgufHeader(prefix, source.size, source.name)
    } catch (error) {
      if (!(error instanceof PrefixTooShort)) throw error
      length = Math.min(source.size, maxHeaderBytes, Math.max(error.bytes, length * 8))
    }
  }
}

function checkPart(source: ByteSource, { metadata }: GgufHeader, number: number, parts: number): void {
  const count = metadata.get("split.count")?.value ?? 0
  const own = metadata.get("split.no")?.value ?? 0
  if (parts === 1 && (count === 0 || count === 1)) return
  if (count !== parts || own !== number)
    throw new InvalidFileError(
      `${source.name} says that it is part ${Number(own) + 1} of ${Number(count)}, but was opened as part ` +
        `${number + 1} of ${parts}: open all parts of one model together`,
    )
}

function placeTensors(source: ByteSource, header: GgufHeader): PlacedTensor[] {
  const alignment = alignmentOf(source, header)
  const dataStart = Math.ceil(header.end / alignment) * alignment
  const placed = header.tensors.map(({ name, dimensions, type, offset }): PlacedTensor => {
    const what = `${source.name}: tensor ${name.slice(0, 200)}`
    const shape = dimensions.toReversed()
    const encoding = encodingOfGgmlType(type, what)
    const byteLength = tensorBytes(encoding, shape, what)
    if (
      !Number.isSafeInteger(offset) ||
      offset % alignment !== 0 ||
      dataStart + offset + byteLength > source.size
    )
      throw new InvalidFileError(
        `${what} should lie at ${offset} with ${byteLength} bytes, but the data has ` +
          `${Math.max(0, source.size - dataStart)} bytes and an alignment of ${alignment}: the file is cut off or damaged`,
      )
    return { name, shape, encoding, byteLength, source, offset: dataStart + offset }
  })
  checkNoOverlap(placed)
  return placed
}

function alignmentOf(source: ByteSource, { metadata }: GgufHeader): number {
  const given = metadata.get("general.alignment")
  if (given === undefined) return 32
  const { type, value } = given
  if (
    type !== "uint32" ||
    typeof value !== "number" ||
    value === 0 ||
    value > 2 ** 20 ||
    (value & (value - 1)) !== 0
  )
    throw new InvalidFileError(
      `${source.name}: general.alignment must be a power of two, as a uint32 of at most 2^20`,
    )
  return value
}
