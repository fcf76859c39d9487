import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { decode } from "./decode.js"
import {
  blockBytes,
  blockSize,
  encodedBytes,
  encodings,
  encodingOfGgmlType,
  ggmlTypeOfEncoding,
} from "./encoding.js"
import { toBrainFloats, floatToHalf, toHalves, halves } from "./half.js"

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../test/goldens/ggml-blocks/${name}`, import.meta.url)))

const ggmlEncodings = encodings.filter(
  (name) => !["f64", "i64", "i32", "i16", "i8", "u8", "bool"].includes(name),
)

test.each(ggmlEncodings)("%s decodes to the bits that ggml gives", (encoding) => {
  const blocks = golden(`${encoding}.blocks`)
  const expected = golden(`${encoding}.f32`)
  const values = new Float32Array(4096)
  expect(encodedBytes(encoding, 4096)).toBe(blocks.length)
  decode(encoding, blocks, values)
  expect(Buffer.compare(new Uint8Array(values.buffer), expected)).toBe(0)
  // The same from an odd address, as a tensor inside a larger buffer may lie.
  const shifted = new Uint8Array(blocks.length + 1)
  shifted.set(blocks, 1)
  values.fill(0)
  decode(encoding, shifted.subarray(1), values)
  expect(Buffer.compare(new Uint8Array(values.buffer), expected)).toBe(0)
})

test("plain integers and f64 decode", () => {
  const into = new Float32Array(3)
  decode("f64", new Uint8Array(new Float64Array([1.5, -2, 1e300]).buffer), into)
  expect([...into]).toEqual([1.5, -2, Infinity])
  decode("i64", new Uint8Array(new BigInt64Array([1n, -2n, 1n << 40n]).buffer), into)
  expect([...into]).toEqual([1, -2, 2 ** 40])
  decode("i32", new Uint8Array(new Int32Array([7, -8, 9]).buffer), into)
  expect([...into]).toEqual([7, -8, 9])
  decode("i16", new Uint8Array(new Int16Array([7, -8, 9]).buffer), into)
  expect([...into]).toEqual([7, -8, 9])
  decode("i8", new Uint8Array([1, 255, 128]), into)
  expect([...into]).toEqual([1, -1, -128])
  decode("u8", new Uint8Array([1, 255, 128]), into)
  expect([...into]).toEqual([1, 255, 128])
  decode("bool", new Uint8Array([0, 1, 2]), into)
  expect([...into]).toEqual([0, 1, 1])
})

test("sizes that do not fit are refused", () => {
  expect(() => decode("q4_0", new Uint8Array(18), new Float32Array(31))).toThrow(/31 q4_0 values/)
  expect(() => decode("f32", new Uint8Array(8), new Float32Array(3))).toThrow(/12 bytes, but 8/)
  expect(() => encodedBytes("q4_K", 128)).toThrow(/blocks of 256/)
  expect(() => encodingOfGgmlType(19, "tensor x")).toThrow(/tensor x.*IQ1_S/)
})

test("ggml's type numbers go both ways", () => {
  for (const encoding of ggmlEncodings)
    expect(encodingOfGgmlType(ggmlTypeOfEncoding(encoding), "")).toBe(encoding)
  expect(ggmlTypeOfEncoding("bf16")).toBe(30)
  expect(() => ggmlTypeOfEncoding("bool")).toThrow(/no tensor type/)
  expect(blockSize("q6_K") + blockBytes("q6_K")).toBe(466)
})

test("every half survives the way to float32 and back", () => {
  const back = new Uint16Array(65536)
  toHalves(halves(), back)
  const wrong = [...back.keys()].filter((bits) =>
    Number.isNaN(halves()[bits]) ? (back[bits] & 0x7e00) !== 0x7e00 : back[bits] !== bits,
  )
  expect(wrong).toEqual([])
})

test("16-bit rounding goes to the nearest, ties to even", () => {
  expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00)
  expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02)
  expect(floatToHalf(1 + 2 ** -11 + 2 ** -20)).toBe(0x3c01)
  expect(floatToHalf(65519)).toBe(0x7bff)
  expect(floatToHalf(65520)).toBe(0x7c00)
  expect(floatToHalf(2 ** -25)).toBe(0)
  expect(floatToHalf(1.5 * 2 ** -24)).toBe(2)
  expect(floatToHalf(-0)).toBe(0x8000)
  const into = new Uint16Array(5)
  toBrainFloats(new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN, -Infinity, 3.4e38]), into)
  expect([...into]).toEqual([0x3f80, 0x3f82, 0x7fc0, 0xff80, 0x7f80])
})
