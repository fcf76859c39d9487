// Bytes of a tensor in any encoding, or rows of any kind of weight -> float32 values, the same to the last bit as ggml's own decoding. This is
// on the load path of every model: plain loops, no allocation per block. Hosts are little endian, as files are.
import { InvalidOptionError } from "../errors/index.js"
import { decodeIQ4XS, decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from "./decode-super-blocks.js"
import { blockBytes, blockSize, type Encoding } from "./encoding.js"
import { halves } from "./half.js"
import { groupSize, rowBytes, type WeightKind } from "./kind.js"

/** The 16 levels of IQ4_NL and IQ4_XS. */
export const iq4Levels = new Int8Array([
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
])

/**
 * Decodes all of `bytes`, which must be exactly the values of `into` (float32, one a value).
 * Exact: what ggml's dequantize functions give. Integers and f64 are rounded to float32.
 */
export function decode(encoding: Encoding, bytes: Uint8Array, into: Float32Array): void {
  const blocks = into.length / blockSize(encoding)
  if (blocks * blockBytes(encoding) !== bytes.length || !Number.isInteger(blocks))
    throw new InvalidOptionError(
      `${into.length} ${encoding} values take ${blocks * blockBytes(encoding)} bytes, but ${bytes.length} were given`,
    )
  decoders[encoding](bytes, into, blocks)
}

/** The file encoding with the same bytes as a kind; `int8-channel` has none. */
export const kindEncodings: Readonly<Record<Exclude<WeightKind, "int8-channel">, Encoding>> = {
  f32: "f32",
  f16: "f16",
  bf16: "bf16",
  int8: "q8_0",
  int4: "q4_0",
  "int4-min": "q4_1",
}

/** Decodes whole rows of a kind to float32; exact, since every kind's values are float32 values or products. */
export function decodeRows(kind: WeightKind, bytes: Uint8Array, columns: number, into: Float32Array): void {
  checkRows(kind, into.length, columns, bytes.length)
  if (kind === "int8-channel") decodeInt8Channel(bytes, columns, into)
  else decode(kindEncodings[kind], bytes, into)
}

/** Refuses columns that a kind cannot hold, and byte counts that are not those of the rows. */
export function checkRows(kind: WeightKind, count: number, columns: number, bytes: number): void {
  const grouped = kind === "int8" || kind === "int4" || kind === "int4-min"
  if (!Number.isInteger(columns) || columns <= 0 || (grouped && columns % groupSize !== 0))
    throw new InvalidOptionError(
      `${kind} rows need a ${grouped ? `multiple of ${groupSize}` : "positive number of"} columns, got ${columns}`,
    )
  const rows = count / columns
  if (!Number.isInteger(rows) || rows * rowBytes(kind, columns) !== bytes)
    throw new InvalidOptionError(
      `${count} ${kind} values in rows of ${columns} take ${rows * rowBytes(kind, columns)} bytes, got ${bytes}`,
    )
}

type Decoder = (bytes: Uint8Array, into: Float32Array, blocks: number) => void

const decoders: Readonly<Record<Encoding, Decoder>> = {
  f64: (bytes, into) => into.set(new Float64Array(ownBuffer(bytes))),
  f32: (bytes, into) => new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes),
  f16: decodeF16,
  bf16: decodeBF16,
  i64: decodeI64,
  i32: (bytes, into) => into.set(new Int32Array(ownBuffer(bytes))),
  i16: (bytes, into) => into.set(new Int16Array(ownBuffer(bytes))),
  i8: (bytes, into) => into.set(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)),
  u8: (bytes, into) => into.set(bytes),
  bool: (bytes, into) => into.set(bytes.map((byte) => (byte === 0 ? 0 : 1))),
  q4_0: decodeQ40,
  q4_1: decodeQ41,
  q5_0: decodeQ50,
  q5_1: decodeQ51,
  q8_0: decodeQ80,
  q2_K: decodeQ2K,
  q3_K: decodeQ3K,
  q4_K: decodeQ4K,
  q5_K: decodeQ5K,
  q6_K: decodeQ6K,
  iq4_nl: decodeIQ4NL,
  iq4_xs: (bytes, into, blocks) => decodeIQ4XS(bytes, into, blocks, iq4Levels),
}

/** A copy of the bytes in a buffer of their own, so that wide views may be laid over them. */
const ownBuffer = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer

/** A view of the bytes as 16-bit words; copies only where they are not aligned. */
const words = (bytes: Uint8Array): Uint16Array =>
  bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(bytes.slice().buffer)

function decodeF16(bytes: Uint8Array, into: Float32Array): void {
  const half = halves()
  const from = words(bytes)
  for (let i = 0; i < from.length; i++) into[i] = half[from[i]]
}

function decodeBF16(bytes: Uint8Array, into: Float32Array): void {
  const from = words(bytes)
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length)
  for (let i = 0; i < from.length; i++) bits[i] = from[i] << 16
}

function decodeI64(bytes: Uint8Array, into: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let i = 0; i < into.length; i++) into[i] = Number(view.getBigInt64(i * 8, true))
}

function decodeQ40(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 18, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]
      into[y + j] = d * ((pair & 15) - 8)
      into[y + j + 16] = d * ((pair >> 4) - 8)
    }
  }
}

function decodeQ41(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 20, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    const m = half[bytes[at + 2] | (bytes[at + 3] << 8)]
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 4 + j]
      into[y + j] = d * (pair & 15) + m
      into[y + j + 16] = d * (pair >> 4) + m
    }
  }
}

function decodeQ50(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 22, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    const low = bytes[at + 2] | (bytes[at + 3] << 8)
    const high = bytes[at + 4] | (bytes[at + 5] << 8)
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 6 + j]
      into[y + j] = d * (((pair & 15) | (((low >> j) & 1) << 4)) - 16)
      into[y + j + 16] = d * (((pair >> 4) | (((high >> j) & 1) << 4)) - 16)
    }
  }
}

function decodeQ51(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 24, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    const m = half[bytes[at + 2] | (bytes[at + 3] << 8)]
    const low = bytes[at + 4] | (bytes[at + 5] << 8)
    const high = bytes[at + 6] | (bytes[at + 7] << 8)
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 8 + j]
      into[y + j] = d * ((pair & 15) | (((low >> j) & 1) << 4)) + m
      into[y + j + 16] = d * ((pair >> 4) | (((high >> j) & 1) << 4)) + m
    }
  }
}

function decodeQ80(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 34, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    for (let j = 0; j < 32; j++) into[y + j] = d * signed[at + 2 + j]
  }
}

function decodeIQ4NL(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 18, y += 32) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]
      into[y + j] = d * iq4Levels[pair & 15]
      into[y + j + 16] = d * iq4Levels[pair >> 4]
    }
  }
}

function decodeInt8Channel(bytes: Uint8Array, columns: number, into: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let y = 0, at = 0; y < into.length; y += columns, at += columns + 4) {
    const d = view.getFloat32(at, true)
    for (let j = 0; j < columns; j++) into[y + j] = d * signed[at + 4 + j]
  }
}
