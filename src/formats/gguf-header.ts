// The header of a GGUF file (versions 2 and 3, little endian): metadata and the table of tensors. Synchronous over
// a prefix of the file; it says when the prefix is too short.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import {
  type GgufArray,
  type GgufScalarType,
  type GgufType,
  ggufTypeOf,
  type GgufValue,
} from "./gguf-values.js"

export interface GgufHeader {
  readonly version: number
  readonly metadata: Map<string, GgufValue>
  readonly tensors: readonly GgufTensorInfo[]
  /** Where the header ends, before alignment. */
  readonly end: number
}

export interface GgufTensorInfo {
  readonly name: string
  /** Innermost dimension first, as the file has them. */
  readonly dimensions: readonly number[]
  readonly type: number
  /** Relative to the start of the data. */
  readonly offset: number
}

/** The header goes on behind the prefix: parse again with at least `bytes`. */
export class PrefixTooShort {
  constructor(readonly bytes: number) {}
}

// Llama 3.2 has 8 MB of metadata, nearly all of it 128256 tokens and 280147 merges.
export const maxHeaderBytes = 2 ** 27
const maxStringBytes = 2 ** 24
const maxListedValues = 2 ** 21
const maxNesting = 8
const maxEntries = 2 ** 16
const maxTensors = 2 ** 17
const maxDimensions = 4

/**
 * Parses the header at the start of a file of `fileSize` bytes, of which `prefix` are given. Throws
 * PrefixTooShort to ask for more, InvalidFileError and UnsupportedError for files that no prefix makes right.
 */
export function parseGgufHeader(prefix: Uint8Array, fileSize: number, name: string): GgufHeader {
  const cursor = new Cursor(prefix, fileSize, name)
  if (cursor.u32() !== 0x46554747)
    throw new InvalidFileError(`${name} is not a GGUF file: it does not start with GGUF`)
  const version = cursor.u32()
  if ((version & 0xffff) === 0)
    throw new UnsupportedError(`${name} is a big-endian GGUF file; Cria reads little-endian ones: convert it`)
  if (version !== 2 && version !== 3)
    throw new UnsupportedError(
      `${name} is GGUF version ${version}; Cria reads versions 2 and 3: convert it again`,
    )
  const tensorCount = cursor.count("tensors", 24, maxTensors)
  const entryCount = cursor.count("metadata entries", 13, maxEntries)

  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < entryCount; i++) {
    const key = cursor.string()
    if (metadata.has(key))
      throw new InvalidFileError(`${name} has the metadata key ${key.slice(0, 200)} twice`)
    metadata.set(key, readValue(cursor, key))
  }
  const tensors: GgufTensorInfo[] = []
  for (let i = 0; i < tensorCount; i++) {
    const tensorName = cursor.string()
    const rank = cursor.u32()
    if (rank > maxDimensions)
      throw new InvalidFileError(
        `${name}: tensor ${tensorName.slice(0, 200)} has ${rank} dimensions; GGUF has at most ${maxDimensions}`,
      )
    const dimensions = Array.from({ length: rank }, () => Number(cursor.u64()))
    tensors.push({ name: tensorName, dimensions, type: cursor.u32(), offset: Number(cursor.u64()) })
  }
  return { version, metadata, tensors, end: cursor.at }
}

function readValue(cursor: Cursor, key: string): GgufValue {
  const type = readType(cursor, key)
  if (type === "array") return readArray(cursor, key, 1)
  return { type, value: readScalar(cursor, type) } as GgufValue
}

function readType(cursor: Cursor, key: string): GgufType {
  const number = cursor.u32()
  const type = ggufTypeOf(number)
  if (type === undefined)
    throw new InvalidFileError(`${cursor.name}: metadata ${key.slice(0, 200)} has the unknown type ${number}`)
  return type
}

function readArray(cursor: Cursor, key: string, depth: number): GgufArray {
  if (depth > maxNesting)
    throw new InvalidFileError(
      `${cursor.name}: metadata ${key.slice(0, 200)} nests deeper than ${maxNesting}`,
    )
  const of = readType(cursor, key)
  if (of === "array") {
    const count = cursor.listed(key, 12)
    return {
      type: "array",
      of,
      value: Array.from({ length: count }, () => readArray(cursor, key, depth + 1)),
    }
  }
  if (of === "string" || of === "bool" || of === "uint64" || of === "int64") {
    const count = cursor.listed(key, of === "bool" ? 1 : 8)
    const value: unknown[] = []
    for (let i = 0; i < count; i++) value.push(readScalar(cursor, of))
    return { type: "array", of, value } as GgufArray
  }
  return { type: "array", of, value: cursor.numbers(of, key) }
}

function readScalar(cursor: Cursor, type: GgufScalarType): number | bigint | boolean | string {
  switch (type) {
    case "uint8":
      return cursor.u8()
    case "int8":
      return (cursor.u8() << 24) >> 24
    case "uint16":
      return cursor.view(2).getUint16(0, true)
    case "int16":
      return cursor.view(2).getInt16(0, true)
    case "uint32":
      return cursor.u32()
    case "int32":
      return cursor.u32() | 0
    case "float32":
      return cursor.view(4).getFloat32(0, true)
    case "float64":
      return cursor.view(8).getFloat64(0, true)
    case "uint64":
      return exactNumber(cursor.u64())
    case "int64":
      return exactNumber(BigInt.asIntN(64, cursor.u64()))
    case "bool": {
      const byte = cursor.u8()
      if (byte > 1) throw new InvalidFileError(`${cursor.name}: a boolean of the metadata is ${byte}`)
      return byte === 1
    }
    case "string":
      return cursor.string()
  }
}

/** A number where it is exact, the bigint otherwise. */
const exactNumber = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

const numberArrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const

/** A position in the prefix; every length is checked against file and bounds before it is used. */
class Cursor {
  at = 0
  #listed = 0
  readonly #bytes: Uint8Array
  readonly #fileSize: number
  readonly #view: DataView
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true })
  readonly name: string

  constructor(bytes: Uint8Array, fileSize: number, name: string) {
    this.#bytes = bytes
    this.#fileSize = fileSize
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.name = name
  }

  /** Steps over `length` bytes that the prefix must hold; returns where they start. */
  #take(length: number): number {
    const start = this.at
    const end = start + length
    if (end > this.#bytes.length) {
      if (end > this.#fileSize)
        throw new InvalidFileError(
          `${this.name}: the GGUF header goes on to byte ${end} or further, but the file has ${this.#fileSize}: ` +
            "it is cut off or damaged; fetch it again",
        )
      if (end > maxHeaderBytes)
        throw new InvalidFileError(`${this.name}: the GGUF header is longer than ${maxHeaderBytes} bytes`)
      throw new PrefixTooShort(end)
    }
    this.at = end
    return start
  }

  u8(): number {
    return this.#bytes[this.#take(1)]
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  /** A 64-bit count as a number: exact below 2^53, and no less than 2^53 above. */
  #length(): number {
    const start = this.#take(8)
    return this.#view.getUint32(start, true) + this.#view.getUint32(start + 4, true) * 2 ** 32
  }

  view(length: number): DataView {
    const start = this.#take(length)
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, length)
  }

  /** A count of things that take `bytesEach` or more, so that it cannot exceed what the file has room for. */
  count(what: string, bytesEach: number, limit: number): number {
    const count = this.#length()
    if (count > limit || count * bytesEach > this.#fileSize - this.at)
      throw new InvalidFileError(
        `${this.name} announces ${count} ${what}, more than ${limit} or than its ${this.#fileSize} bytes can hold`,
      )
    return count
  }

  /** A count of values that become JavaScript values one by one: bounded over the whole header. */
  listed(key: string, bytesEach: number): number {
    const count = this.count(`values of ${key.slice(0, 200)}`, bytesEach, maxListedValues)
    this.#listed += count
    if (this.#listed > maxListedValues)
      throw new InvalidFileError(`${this.name}: the metadata lists more than ${maxListedValues} values`)
    return count
  }

  numbers(type: keyof typeof numberArrays, key: string): ArrayLike<number> {
    const Kind = numberArrays[type]
    const count = this.count(`values of ${key.slice(0, 200)}`, Kind.BYTES_PER_ELEMENT, maxHeaderBytes)
    const start = this.#take(count * Kind.BYTES_PER_ELEMENT)
    return new Kind(this.#bytes.slice(start, this.at).buffer)
  }

  string(): string {
    const length = this.count("bytes of a string", 1, maxStringBytes)
    const start = this.#take(length)
    // Calling the decoder costs more than the loop for the short ASCII strings that vocabularies are made of.
    if (length <= 24) {
      let text = ""
      let at = start
      while (at < this.at && this.#bytes[at] < 128) text += String.fromCharCode(this.#bytes[at++])
      if (at === this.at) return text
    }
    return this.#text.decode(this.#bytes.subarray(start, this.at))
  }
}
