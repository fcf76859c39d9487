// Writes GGUF version 3 as llama.cpp loads it (Node only): streamed, atomic, every tensor aligned.
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { ggmlTypeOfEncoding } from "../weights/index.js"
import { type GgufArray, type GgufScalarType, type GgufValue, ggufTypeNumbers } from "./gguf-values.js"
import { type TensorEntry, tensorBytes } from "./tensor-file.js"
import { type Produce, publishing, writeTensor } from "./write-file.js"

export type { GgufArray, GgufValue } from "./gguf-values.js"

/** ggml keeps names in 64 bytes, with a zero at the end. */
const maxNameBytes = 63
const maxDimensions = 4

/**
 * Writes metadata and tensors to `path`. `produce(name)` gives the bytes of a tensor; they are asked for in the
 * order of `entries`. The alignment is that of `general.alignment` in the metadata, 32 without it.
 */
export async function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  entries: readonly TensorEntry[],
  produce: Produce,
): Promise<void> {
  const alignment = Number(metadata.get("general.alignment")?.value ?? 32)
  if (!Number.isInteger(alignment) || alignment < 1 || (alignment & (alignment - 1)) !== 0)
    throw new InvalidOptionError(`general.alignment must be a power of two, got ${alignment}`)
  const aligned = (offset: number) => Math.ceil(offset / alignment) * alignment

  const header = new ByteBuilder()
  header.uint32(0x46554747)
  header.uint32(3)
  header.uint64(entries.length)
  header.uint64(metadata.size)
  for (const [key, value] of metadata) {
    header.string(key)
    header.uint32(ggufTypeNumbers[value.type])
    writeValue(header, value, key)
  }
  let offset = 0
  const names = new Set<string>()
  for (const entry of entries) {
    checkEntry(entry, names)
    header.string(entry.name)
    const dimensions = entry.shape.length === 0 ? [1] : entry.shape.toReversed()
    header.uint32(dimensions.length)
    for (const length of dimensions) header.uint64(length)
    header.uint32(ggmlTypeOfEncoding(entry.encoding))
    header.uint64(offset)
    offset = aligned(offset + entry.byteLength)
  }
  header.zeros(aligned(header.length) - header.length)

  await publishing(async (create) => {
    const file = await create(path)
    await file.write(header.bytes())
    for (const entry of entries) {
      await writeTensor(file, entry, produce)
      await file.write(new Uint8Array(aligned(entry.byteLength) - entry.byteLength))
    }
  })
}

function checkEntry({ name, shape, encoding, byteLength }: TensorEntry, names: Set<string>): void {
  if (names.has(name)) throw new InvalidOptionError(`two tensors are named ${name}`)
  names.add(name)
  if (new TextEncoder().encode(name).length > maxNameBytes)
    throw new UnsupportedError(
      `the tensor name ${name} is longer than the ${maxNameBytes} bytes that ggml keeps`,
    )
  if (shape.length > maxDimensions)
    throw new UnsupportedError(
      `tensor ${name} has ${shape.length} dimensions; GGUF has at most ${maxDimensions}`,
    )
  const expected = tensorBytes(encoding, shape, `tensor ${name}`)
  if (byteLength !== expected)
    throw new InvalidOptionError(`tensor ${name} takes ${expected} bytes, not ${byteLength}`)
}

function writeValue(into: ByteBuilder, value: GgufValue, key: string): void {
  if (value.type === "array") writeArray(into, value, key)
  else writeScalar(into, value.type, value.value, key)
}

function writeArray(into: ByteBuilder, array: GgufArray, key: string): void {
  into.uint32(ggufTypeNumbers[array.of])
  into.uint64(array.value.length)
  if (array.of === "array") for (const inner of array.value) writeArray(into, inner, key)
  else for (let i = 0; i < array.value.length; i++) writeScalar(into, array.of, array.value[i], key)
}

/** Largest magnitudes of the integer types: [smallest, largest]. */
const integerRanges: Readonly<Partial<Record<GgufScalarType, readonly [bigint, bigint]>>> = {
  uint8: [0n, 0xffn],
  int8: [-0x80n, 0x7fn],
  uint16: [0n, 0xffffn],
  int16: [-0x8000n, 0x7fffn],
  uint32: [0n, 0xffffffffn],
  int32: [-0x80000000n, 0x7fffffffn],
  uint64: [0n, 2n ** 64n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
}

function writeScalar(
  into: ByteBuilder,
  type: GgufScalarType,
  value: number | bigint | boolean | string,
  key: string,
): void {
  if (type === "string") {
    if (typeof value !== "string") throw wrongValue(key, type, value)
    return into.string(value)
  }
  if (type === "bool") {
    if (typeof value !== "boolean") throw wrongValue(key, type, value)
    return into.place(1, (view, at) => view.setUint8(at, value ? 1 : 0))
  }
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongValue(key, type, value)
  if (type === "float32") return into.place(4, (view, at) => view.setFloat32(at, Number(value), true))
  if (type === "float64") return into.place(8, (view, at) => view.setFloat64(at, Number(value), true))
  const [smallest, largest] = integerRanges[type]!
  if ((typeof value === "number" && !Number.isSafeInteger(value)) || value < smallest || value > largest)
    throw wrongValue(key, type, value)
  if (type.endsWith("8")) into.place(1, (view, at) => view.setInt8(at, Number(value)))
  else if (type.endsWith("16")) into.place(2, (view, at) => view.setInt16(at, Number(value), true))
  else if (type.endsWith("32")) into.place(4, (view, at) => view.setInt32(at, Number(value), true))
  else into.place(8, (view, at) => view.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true))
}

const wrongValue = (key: string, type: string, value: unknown) =>
  new InvalidOptionError(`metadata ${key}: ${typeof value} ${String(value).slice(0, 100)} is not a ${type}`)

/** Bytes that grow at the end. */
class ByteBuilder {
  length = 0
  #bytes = new Uint8Array(2 ** 16)
  #view = new DataView(this.#bytes.buffer)
  readonly #encoder = new TextEncoder()

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.length + count, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }

  place(count: number, put: (view: DataView, at: number) => void): void {
    this.#reserve(count)
    put(this.#view, this.length)
    this.length += count
  }

  uint32(value: number): void {
    this.place(4, (view, at) => view.setUint32(at, value, true))
  }

  uint64(value: number): void {
    this.place(8, (view, at) => view.setBigUint64(at, BigInt(value), true))
  }

  string(text: string): void {
    this.#reserve(8 + text.length * 3)
    const { written } = this.#encoder.encodeInto(text, this.#bytes.subarray(this.length + 8))
    this.uint64(written)
    this.length += written
  }

  zeros(count: number): void {
    this.#reserve(count)
    this.length += count
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }
}
