// safetensors: 8 bytes of header length, a JSON header of names, types, shapes and offsets, then the bytes of the
// tensors without holes. Several files are joined by an index, name -> file.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import type { Encoding } from "../weights/index.js"
import { type ByteSource, readBytes, takingOver } from "./byte-source.js"
import { isRecord, parseJsonObject } from "./json.js"
import {
  checkNoOverlap,
  type PlacedTensor,
  placedTensorFile,
  tensorBytes,
  type TensorFile,
} from "./tensor-file.js"

/** Type names of the header and the encodings they stand for. */
export const safetensorsTypes: ReadonlyMap<string, Encoding> = new Map([
  ["F64", "f64"],
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
  ["I64", "i64"],
  ["I32", "i32"],
  ["I16", "i16"],
  ["I8", "i8"],
  ["U8", "u8"],
  ["BOOL", "bool"],
])

/** The reference implementation's bound. */
const maxHeaderBytes = 100_000_000

/** Files of one model; published models of hundreds of billions of parameters have fewer than 300. */
const maxShards = 1024

/**
 * Opens one safetensors file and takes over its source. Metadata is the header's `__metadata__`.
 * As in the reference implementation the tensors must cover all bytes behind the header.
 */
export const openSafetensors = (source: ByteSource): Promise<TensorFile> =>
  takingOver([source], async () => {
    const { placed, metadata } = await readHeader(source)
    return placedTensorFile("safetensors", placed, metadata, [source])
  })

/**
 * Opens the shards that an index (`model.safetensors.index.json`) names. `open` gets plain file names, never
 * paths: an index that points elsewhere is refused.
 */
export async function openShardedSafetensors(
  index: Uint8Array,
  indexName: string,
  open: (fileName: string) => Promise<ByteSource>,
): Promise<TensorFile> {
  const weightMap = parseJsonObject(index, indexName).weight_map
  if (!isRecord(weightMap)) throw new InvalidFileError(`${indexName} has no "weight_map" object`)
  const listed = new Map<string, string[]>()
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== "string" || !/^[^/\\\0]+\.safetensors$/.test(file))
      throw new InvalidFileError(
        `${indexName} puts ${name} into ${JSON.stringify(file).slice(0, 200)}; expected the plain name of a ` +
          ".safetensors file in the same folder",
      )
    const names = listed.get(file)
    if (names === undefined) listed.set(file, [name])
    else names.push(name)
  }
  if (listed.size === 0 || listed.size > maxShards)
    throw new InvalidFileError(`${indexName} names ${listed.size} files; expected 1 to ${maxShards}`)

  const sources: ByteSource[] = []
  return takingOver(sources, async () => {
    const all = new Map<string, PlacedTensor>()
    const allMetadata = new Map<string, unknown>()
    for (const [file, names] of listed) {
      const source = await open(file)
      sources.push(source)
      const { placed, metadata } = await readHeader(source)
      for (const name of names)
        if (!placed.has(name))
          throw new InvalidFileError(`${indexName} says that ${file} holds ${name}, but it does not`)
      for (const [name, tensor] of placed) {
        const other = all.get(name)
        if (other !== undefined)
          throw new InvalidFileError(`the tensor ${name} is in both ${other.source.name} and ${source.name}`)
        all.set(name, tensor)
      }
      for (const [key, value] of metadata) allMetadata.set(key, value)
    }
    return placedTensorFile("safetensors", all, allMetadata, sources)
  })
}

interface Header {
  readonly placed: Map<string, PlacedTensor>
  readonly metadata: Map<string, unknown>
}

async function readHeader(source: ByteSource): Promise<Header> {
  const start = await readBytes(source, 0, 8, "the length of the safetensors header")
  const length = Number(new DataView(start.buffer).getBigUint64(0, true))
  if (length > maxHeaderBytes || length + 8 > source.size)
    throw new InvalidFileError(
      `${source.name} announces a safetensors header of ${length} bytes, but the file has ${source.size} and ` +
        `headers may have ${maxHeaderBytes}: it is not a safetensors file, or is cut off`,
    )
  const json = parseJsonObject(
    await readBytes(source, 8, length, "the header"),
    `the header of ${source.name}`,
  )

  const placed = new Map<string, PlacedTensor>()
  const metadata = new Map<string, unknown>()
  let covered = 0
  for (const [name, entry] of Object.entries(json)) {
    if (name === "__metadata__") {
      if (!isRecord(entry)) throw new InvalidFileError(`${source.name}: __metadata__ is not an object`)
      for (const [key, value] of Object.entries(entry)) metadata.set(key, value)
      continue
    }
    const tensor = placeTensor(source, name, entry, 8 + length)
    placed.set(name, tensor)
    covered += tensor.byteLength
  }
  checkNoOverlap(placed.values())
  if (covered !== source.size - 8 - length)
    throw new InvalidFileError(
      `${source.name}: the tensors take ${covered} bytes, but ${source.size - 8 - length} follow the header: ` +
        "it is damaged or was cut off; fetch it again",
    )
  return { placed, metadata }
}

function placeTensor(source: ByteSource, name: string, entry: unknown, dataStart: number): PlacedTensor {
  const what = `${source.name}: tensor ${name.slice(0, 200)}`
  if (!isRecord(entry) || typeof entry.dtype !== "string" || !Array.isArray(entry.shape))
    throw new InvalidFileError(`${what} lacks dtype, shape or data_offsets`)
  const encoding = safetensorsTypes.get(entry.dtype)
  if (encoding === undefined)
    throw new UnsupportedError(
      `${what} is of type ${entry.dtype.slice(0, 40)}, which Cria does not read (known: ${[...safetensorsTypes.keys()].join(", ")})`,
    )
  const offsets: unknown = entry.data_offsets
  if (!Array.isArray(offsets) || offsets.length !== 2)
    throw new InvalidFileError(`${what} needs two data_offsets`)
  const [begin, end] = offsets as unknown[]
  if (!isOffset(begin) || !isOffset(end) || begin > end || dataStart + end > source.size)
    throw new InvalidFileError(
      `${what} has the data_offsets ${JSON.stringify(offsets).slice(0, 100)}, outside of the ` +
        `${source.size - dataStart} bytes of data`,
    )
  const shape = entry.shape as number[]
  const byteLength = tensorBytes(encoding, shape, what)
  if (byteLength !== end - begin)
    throw new InvalidFileError(
      `${what}: ${entry.dtype} [${shape.join(", ")}] takes ${byteLength} bytes, but its data_offsets hold ${end - begin}`,
    )
  return { name, shape, encoding, byteLength, source, offset: dataStart + begin }
}

const isOffset = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0
