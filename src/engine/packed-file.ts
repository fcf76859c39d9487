// The file that a loaded model is kept in (Node only): packed weights to be mapped, the tokenizer's tables, and what
// else the engine wants to know, so that the model's own files need not be parsed. Nothing in it is believed before it was
// checked: the header by a code that only this user's Cria can make, everything else by sums in the header, and every
// place in the file by the sizes that the model has.
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { FileHandle } from "node:fs/promises"
import type { Backend, MappedFile } from "../backends/backend.js"
import type { ModelConfig } from "../model/config.js"
import { modelOfTensors, namedTensors } from "../model/named-tensors.js"
import { Tokenizer, type TokenizerData } from "../tokenizer/index.js"
import { tableMemory } from "../tokenizer/table-memory.js"
import type { Weight } from "../ops/ops.js"
import type { WeightKind } from "../weights/kind.js"
import type { KeptModel, ModelPapers } from "./load-model.js"

const magic = Buffer.from("cria packed 2\n\0\0", "latin1")
/** Magic, length of the header, code of the header. */
const prologueBytes = 64
const maxHeaderBytes = 2 ** 24
const maxArrayBytes = 2 ** 28
/** Sections start at multiples of this. */
const alignment = 4096

const alignedTo = (offset: number, step: number): number => Math.ceil(offset / step) * step

const arrayTypes = { u8: Uint8Array, i32: Int32Array, f32: Float32Array } as const
type ArrayType = keyof typeof arrayTypes
type AnyArray = Uint8Array | Int32Array | Float32Array

/** An array of the section of arrays, as it stands in the header. */
interface ArrayPlace {
  readonly $array: ArrayType
  readonly offset: number
  readonly length: number
}

interface WeightPlace {
  readonly kind: WeightKind
  readonly rows: number
  readonly columns: number
  readonly offset: number
  readonly checksum: string
}

interface Header {
  /** What the file was made from and for; another key means another file. */
  readonly key: string
  readonly papers: ModelPapers
  readonly config: ModelConfig
  readonly arrays: { readonly offset: number; readonly bytes: number; readonly sha256: string }
  /** Of what holds typed arrays: each stands as its place. */
  readonly tokenizer: unknown
  readonly frequencies: ArrayPlace
  readonly vectors: Readonly<Record<string, ArrayPlace>>
  readonly weights: Readonly<Record<string, WeightPlace>>
  readonly bytes: number
}

/** Bytes of all packed weights of a model. */
export function packedBytesOf({ model }: KeptModel, backend: Backend): number {
  let bytes = 0
  for (const { kind, shape } of namedTensors(model).matrices.values())
    bytes += backend.packing!.bytes(kind, shape[0], shape[1])
  return bytes
}

/** Bytes and where they go in a file. */
export type Stretch = readonly [offset: number, bytes: Uint8Array]

/** What the file of a model holds beside its weights, and where each of these goes. */
export async function composePacked(
  kept: KeptModel,
  backend: Backend,
  key: string,
  secret: Uint8Array,
): Promise<{ head: Stretch[]; weights: Map<Weight, number> }> {
  const packing = backend.packing!
  const { matrices, vectors } = namedTensors(kept.model)
  const arrays: AnyArray[] = []
  let arrayBytes = 0
  const place = (array: AnyArray): ArrayPlace => {
    const type = (Object.keys(arrayTypes) as ArrayType[]).find((name) => array instanceof arrayTypes[name])
    if (!type) throw new Error("an array of a type that is not kept")
    const at = { $array: type, offset: arrayBytes, length: array.length }
    arrays.push(array)
    arrayBytes = alignedTo(arrayBytes + array.byteLength, 64)
    return at
  }
  const { memory: _, ...tables } = kept.tokenizer.serialize()
  const tokenizer = replaceArrays(tables, place)
  const frequencies = place(kept.model.frequencies)
  const vectorPlaces: Record<string, ArrayPlace> = {}
  for (const [name, tensor] of vectors) vectorPlaces[name] = place(await backend.read(tensor))
  const hash = createHash("sha256")
  const stretches: Stretch[] = []
  let at = 0
  for (const array of arrays) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    stretches.push([at, bytes])
    at = alignedTo(at + bytes.length, 64)
    hash.update(bytes).update(Buffer.alloc(at - stretches.at(-1)![0] - bytes.length))
  }

  // Weights first, at places that do not hang on the header's length: the header's room is bounded.
  const weights: Record<string, WeightPlace> = {}
  let offset = 0
  let end = 0
  for (const [name, weight] of matrices) {
    const [rows, columns] = weight.shape
    weights[name] = { kind: weight.kind, rows, columns, offset, checksum: packing.checksum(weight) }
    end = offset + packing.bytes(weight.kind, rows, columns)
    offset = alignedTo(end, alignment)
  }
  const sha256 = hash.digest("hex")
  const draft = (start: number): Header => ({
    key,
    papers: kept.papers,
    config: kept.model.config,
    arrays: { offset: start, bytes: arrayBytes, sha256 },
    tokenizer,
    frequencies,
    vectors: vectorPlaces,
    weights: Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [
        name,
        { ...weight, offset: weight.offset + alignedTo(start + arrayBytes, alignment) },
      ]),
    ),
    bytes: end + alignedTo(start + arrayBytes, alignment),
  })
  const room = JSON.stringify(draft(2 ** 40)).length * 4 + prologueBytes
  const start = alignedTo(room, alignment)
  const header = draft(start)
  const text = Buffer.from(JSON.stringify(header))
  const head = Buffer.alloc(prologueBytes + text.length)
  magic.copy(head)
  head.writeBigUInt64LE(BigInt(text.length), 16)
  createHmac("sha256", secret).update(text).digest().copy(head, 24)
  text.copy(head, prologueBytes)
  const places = [...matrices].map(([name, weight]) => [weight, header.weights[name].offset] as const)
  const held = stretches.map(([offset, bytes]): Stretch => [start + offset, bytes])
  return { head: [[0, head], ...held], weights: new Map(places) }
}

/**
 * The model in an open file, or undefined where the file is not what this key, this user and this backend made, or is not
 * whole. Takes memory only for what was checked.
 */
export async function readPacked(
  file: FileHandle,
  backend: Backend,
  key: string,
  secret: Uint8Array,
): Promise<KeptModel | undefined> {
  const { size } = await file.stat()
  const prologue = await readExactly(file, 0, prologueBytes, size)
  if (!prologue || !magic.equals(prologue.subarray(0, magic.length))) return undefined
  const length = Number(Buffer.from(prologue.buffer).readBigUInt64LE(16))
  if (!(length <= maxHeaderBytes)) return undefined
  const text = await readExactly(file, prologueBytes, length, size)
  if (!text) return undefined
  const code = createHmac("sha256", secret).update(text).digest()
  if (!timingSafeEqual(code, prologue.subarray(24, 56))) return undefined
  // From here on the header is one that `writePacked` made for this user.
  const header = JSON.parse(Buffer.from(text).toString("utf8")) as Header
  const { arrays, config } = header
  if (header.key !== key || header.bytes !== size || arrays.bytes > maxArrayBytes) return undefined
  const room = tableMemory(arrays.bytes)
  const section = await readExactly(file, arrays.offset, arrays.bytes, size, room?.tables)
  if (!section || createHash("sha256").update(section).digest("hex") !== arrays.sha256) return undefined

  const mapped = backend.packing!.map(file.fd, size)
  const damaged = Object.values(header.weights).some(
    (weight) => mapped.checksum(weight.offset, bytesOf(backend, weight)) !== weight.checksum,
  )
  if (damaged) {
    mapped.release()
    return undefined
  }
  const arrayAt = ({ $array, offset, length: count }: ArrayPlace): AnyArray =>
    new arrayTypes[$array](section.buffer as ArrayBuffer, section.byteOffset + offset, count)
  const model = modelOfTensors(config, Float32Array.from(arrayAt(header.frequencies)), {
    vector: (name, columns) =>
      backend.tensor(Float32Array.from(arrayAt(header.vectors[name]).subarray(0, columns)), [columns]),
    matrix: (name, rows, columns) => weightAt(mapped, header.weights[name], rows, columns),
  })
  const tables = restoreArrays(header.tokenizer, arrayAt) as TokenizerData
  const tokenizer = Tokenizer.deserialize({ ...tables, memory: room?.memory })
  return { papers: header.papers, model, tokenizer }
}

const bytesOf = (backend: Backend, { kind, rows, columns }: WeightPlace): number =>
  backend.packing!.bytes(kind, rows, columns)

function weightAt(mapped: MappedFile, place: WeightPlace, rows: number, columns: number) {
  if (place.rows !== rows || place.columns !== columns) throw new Error("a weight of another shape")
  return mapped.weight(place.kind, rows, columns, place.offset)
}

/** A copy of plain data in which every typed array is its place. */
function replaceArrays(value: unknown, place: (array: AnyArray) => ArrayPlace): unknown {
  if (ArrayBuffer.isView(value)) return place(value as AnyArray)
  if (Array.isArray(value)) return value.map((item) => replaceArrays(item, place))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaceArrays(item, place)]))
}

function restoreArrays(value: unknown, arrayAt: (place: ArrayPlace) => AnyArray): unknown {
  if (Array.isArray(value)) return value.map((item) => restoreArrays(item, arrayAt))
  if (typeof value !== "object" || value === null) return value
  if ("$array" in value) return arrayAt(value as ArrayPlace)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, restoreArrays(item, arrayAt)]))
}

/** Bytes of a file, in memory of the caller's if given; undefined where the file does not have them. */
async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  size: number,
  into?: Uint8Array,
): Promise<Uint8Array | undefined> {
  if (!(position >= 0 && length >= 0 && position + length <= size)) return undefined
  const bytes = into ?? new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done)
    if (bytesRead === 0) return undefined
    done += bytesRead
  }
  return bytes
}
