// From the encoding of a file to a kind of weight: as the bytes are, block by block without loss where the kind
// can hold the block, through float32 otherwise.
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { decode, iq4Levels, kindEncodings } from "./decode.js"
import { iq4xsScale, packedMinimum, packedScale } from "./decode-super-blocks.js"
import { encodeRows, writeHalf } from "./encode.js"
import { blockBytes, blockSize, encodedBytes, type Encoding } from "./encoding.js"
import { halfToFloat } from "./half.js"
import { rowBytes, type WeightKind } from "./kind.js"

/**
 * The kind in which a file's encoding is kept when nobody asks for another, with the error of that step:
 * - f32, f16, bf16, q4_0, q4_1, q8_0: the same values, and the same bytes. f64: rounded to f32.
 * - q5_0, iq4_nl -> int8: the same values.
 * - q4_K -> int4-min, iq4_xs -> int8: scale and minimum of each group rounded to f16, so a value d q - m moves
 *   by at most (|d q| + |m|) 2^-11 (plus 2^-25 a step where they are subnormal).
 * - q5_1, q2_K, q3_K, q5_K, q6_K -> int8: quantized again in groups of 32: a/254 + a 2^-11 with a the largest
 *   magnitude of the group.
 * UnsupportedError for integers and booleans, which are not weights.
 */
export function nearestKind(encoding: Encoding): WeightKind {
  const kind = nearest[encoding]
  if (kind === undefined) throw new UnsupportedError(`a tensor of ${encoding} values is not a weight`)
  return kind
}

const nearest: Readonly<Record<Encoding, WeightKind | undefined>> = {
  f64: "f32",
  f32: "f32",
  f16: "f16",
  bf16: "bf16",
  i64: undefined,
  i32: undefined,
  i16: undefined,
  i8: undefined,
  u8: undefined,
  bool: undefined,
  q4_0: "int4",
  q4_1: "int4-min",
  q5_0: "int8",
  q5_1: "int8",
  q8_0: "int8",
  q2_K: "int8",
  q3_K: "int8",
  q4_K: "int4-min",
  q5_K: "int8",
  q6_K: "int8",
  iq4_nl: "int8",
  iq4_xs: "int8",
}

/** Values decoded at a time on the way through float32: the scratch stays in the cache. */
const chunkValues = 16384

/**
 * Whole rows of `columns` values in a file's encoding -> rows of `kind` in `into` (exactly their bytes).
 * The same bytes are copied, q5_0, iq4_nl, iq4_xs and q4_K go block by block to their nearest kind (errors
 * there), everything else goes through exact float32 values and `encodeRows`.
 */
export function convertRows(
  encoding: Encoding,
  bytes: Uint8Array,
  kind: WeightKind,
  columns: number,
  into: Uint8Array,
): void {
  if (!Number.isInteger(columns) || columns <= 0 || columns % blockSize(encoding) !== 0)
    throw new InvalidOptionError(
      `${encoding} rows need a multiple of ${blockSize(encoding)} columns, got ${columns}`,
    )
  const bytesPerRow = encodedBytes(encoding, columns)
  const rows = bytes.length / bytesPerRow
  if (!Number.isInteger(rows) || rows * rowBytes(kind, columns) !== into.length)
    throw new InvalidOptionError(
      `${rows} rows of ${columns} ${encoding} values take ${rows * rowBytes(kind, columns)} bytes as ${kind}, ` +
        `got ${into.length}`,
    )
  if (kind !== "int8-channel" && kindEncodings[kind] === encoding) return into.set(bytes)
  const transcode = transcoders[encoding]
  if (transcode !== undefined && nearestKind(encoding) === kind)
    return transcode(bytes, into, bytes.length / blockBytes(encoding))

  const rowsAtOnce = Math.max(1, Math.floor(chunkValues / columns))
  const scratch = new Float32Array(Math.min(rows, rowsAtOnce) * columns)
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row)
    const values = scratch.subarray(0, count * columns)
    decode(encoding, bytes.subarray(row * bytesPerRow, (row + count) * bytesPerRow), values)
    const size = rowBytes(kind, columns)
    encodeRows(kind, values, columns, into.subarray(row * size, (row + count) * size))
  }
}

type Transcoder = (bytes: Uint8Array, into: Uint8Array, blocks: number) => void

const transcoders: Readonly<Partial<Record<Encoding, Transcoder>>> = {
  q5_0: q50ToInt8,
  iq4_nl: iq4nlToInt8,
  iq4_xs: iq4xsToInt8,
  q4_K: q4KToInt4Min,
}

function q50ToInt8(bytes: Uint8Array, into: Uint8Array, blocks: number): void {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 22, to += 34) {
    into[to] = bytes[at]
    into[to + 1] = bytes[at + 1]
    const low = bytes[at + 2] | (bytes[at + 3] << 8)
    const high = bytes[at + 4] | (bytes[at + 5] << 8)
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 6 + j]
      into[to + 2 + j] = ((pair & 15) | (((low >> j) & 1) << 4)) - 16
      into[to + 18 + j] = ((pair >> 4) | (((high >> j) & 1) << 4)) - 16
    }
  }
}

function iq4nlToInt8(bytes: Uint8Array, into: Uint8Array, blocks: number): void {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 18, to += 34) {
    into[to] = bytes[at]
    into[to + 1] = bytes[at + 1]
    iq4Group(bytes, at + 2, into, to + 2)
  }
}

function iq4xsToInt8(bytes: Uint8Array, into: Uint8Array, blocks: number): void {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 136) {
    const d = halfToFloat(bytes[at] | (bytes[at + 1] << 8))
    for (let group = 0; group < 8; group++, to += 34) {
      writeHalf(d * iq4xsScale(bytes, at, group), into, to)
      iq4Group(bytes, at + 8 + 16 * group, into, to + 2)
    }
  }
}

function iq4Group(bytes: Uint8Array, at: number, into: Uint8Array, to: number): void {
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + j]
    into[to + j] = iq4Levels[pair & 15]
    into[to + j + 16] = iq4Levels[pair >> 4]
  }
}

// Q4_K keeps two groups in the low and high halves of 32 bytes; Q4_1 the two halves of one group in 16 bytes.
function q4KToInt4Min(bytes: Uint8Array, into: Uint8Array, blocks: number): void {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 144) {
    const d = halfToFloat(bytes[at] | (bytes[at + 1] << 8))
    const dmin = halfToFloat(bytes[at + 2] | (bytes[at + 3] << 8))
    for (let group = 0; group < 8; group++, to += 20) {
      writeHalf(d * packedScale(bytes, at + 4, group), into, to)
      writeHalf(-dmin * packedMinimum(bytes, at + 4, group), into, to + 2)
      const quants = at + 16 + 32 * (group >> 1)
      const shift = 4 * (group & 1)
      for (let j = 0; j < 16; j++)
        into[to + 4 + j] =
          ((bytes[quants + j] >> shift) & 15) | (((bytes[quants + j + 16] >> shift) & 15) << 4)
    }
  }
}
