import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { InvalidFileError, InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { blockBytes, blockSize, encodings, ggmlTypeOfEncoding } from "../weights/index.js"
import { memorySource } from "./byte-source.js"
import { fileSource } from "./file-source.js"
import { openGguf } from "./gguf.js"
import type { GgufValue } from "./gguf-values.js"
import {
  concat,
  f32Bytes,
  ggufBytes,
  ggufEntry,
  ggufInfo,
  smallGguf,
  temporaryFolder,
  u32,
  u64,
  utf8,
} from "./samples-fixture.js"
import type { TensorEntry } from "./tensor-file.js"
import { writeGguf } from "./write-gguf.js"

const open = (bytes: Uint8Array) => openGguf(memorySource(bytes, "test.gguf"))

describe("reading", () => {
  test.each([2, 3])("version %i", async (version) => {
    const bytes = smallGguf()
    bytes[4] = version
    const file = await open(bytes)
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.architecture": "llama",
      "llama.block_count": 1,
      tokens: ["a", "é", "<|end|>"],
      scores: new Float32Array([0.5, -1]),
      nested: [new Uint8Array([1, 2]), [true]],
    })
    expect(file.tensors.get("b")).toMatchObject({ shape: [1, 32], encoding: "q4_0", byteLength: 18 })
    const a = new Float32Array(4)
    await file.read("a", 0, new Uint8Array(a.buffer))
    expect([...a]).toEqual([1, 2, 3, 4])
  })

  test("a header longer than the first megabytes, in little time", async () => {
    const value = Array.from(
      { length: 200_000 },
      (_, i) => `token ${i}${i % 3 ? "" : ", ünïcödé that is longer"}`,
    )
    const path = join(temporaryFolder(), "long.gguf")
    await writeGguf(path, new Map([["t", { type: "array", of: "string", value }]]), [], async function* () {})
    const started = performance.now()
    const file = await openGguf(await fileSource(path))
    expect(performance.now() - started).toBeLessThan(1000)
    expect(file.metadata.get("t")).toEqual(value)
    await file.close()
    expect(readFileSync(path).length).toBeGreaterThan(2 ** 22)
  })

  test("parts of a split model", async () => {
    const part = (number: number, count: number, name: string, total = 2) =>
      memorySource(
        ggufBytes(
          [
            ggufEntry("split.no", 2, [number, 0]),
            ggufEntry("split.count", 2, [count, 0]),
            ggufEntry("split.tensors.count", 5, u32(total)),
          ],
          [ggufInfo(name, [1], 0, 0)],
          f32Bytes(number),
        ),
        `part ${number}`,
      )
    const file = await openGguf([part(0, 2, "a"), part(1, 2, "b")])
    const value = new Float32Array(1)
    await file.read("b", 0, new Uint8Array(value.buffer))
    expect(value[0]).toBe(1)
    await expect(openGguf(part(0, 2, "a"))).rejects.toThrow(/part 1 of 2, but was opened as part 1 of 1/)
    await expect(openGguf([part(1, 2, "a"), part(0, 2, "b")])).rejects.toThrow(/opened as part 1 of 2/)
    await expect(openGguf([part(0, 2, "a"), part(1, 2, "a")])).rejects.toThrow(
      /tensor a is in part 1 and in part 0/,
    )
    await expect(openGguf([part(0, 2, "a", 3), part(1, 2, "b")])).rejects.toThrow(
      /hold 2 tensors, but should hold 3/,
    )
    await expect(openGguf([])).rejects.toThrow(/0 parts/)
  })
})

describe("hostile headers", () => {
  const start = (version: number) => concat(utf8("GGUF"), u32(version))
  const entry = (type: number, value: Uint8Array | readonly number[]) =>
    ggufBytes([ggufEntry("k", type, value)], [], new Uint8Array())
  const info = (...args: Parameters<typeof ggufInfo>) =>
    ggufBytes([], [ggufInfo(...args)], new Uint8Array(64))
  const deep = concat(...Array.from({ length: 20 }, () => concat(u32(9), u64(1))), u32(0), u64(0))
  const repeated = concat(u32(9), u64(2), concat(u32(8), u64(2 ** 20)), new Uint8Array(8 * 2 ** 20))
  test.each<[string, Uint8Array, RegExp, unknown?]>([
    ["nothing", new Uint8Array(), /cut off/],
    ["another file", utf8("<html>, not a model at all"), /does not start with GGUF/],
    ["version 1", concat(start(1), new Uint8Array(64)), /version 1/, UnsupportedError],
    ["big endian", concat(utf8("GGUF"), [0, 0, 0, 3], new Uint8Array(64)), /big-endian/, UnsupportedError],
    ["endless tensors", concat(start(3), u64(2 ** 52), u64(0)), /announces 4503599627370496 tensors/],
    ["more tensors than bytes", concat(start(3), u64(1000), u64(0)), /announces 1000 tensors/],
    ["endless metadata", concat(start(3), u64(0), u64(2 ** 52)), /metadata entries/],
    ["an endless string", entry(8, u64(2 ** 60)), /bytes of a string/],
    ["an endless array", entry(9, concat(u32(4), u64(2 ** 60))), /values of k/],
    ["an endless list", entry(9, concat(u32(8), u64(2 ** 33))), /values of k/],
    ["arrays in arrays", entry(9, deep), /nests deeper than 8/],
    ["a list that never fits", entry(9, repeated), /cut off|more than/],
    ["an unknown type", entry(13, u64(0)), /unknown type 13/],
    ["a boolean of 2", entry(7, [2]), /boolean of the metadata is 2/],
    [
      "one key twice",
      ggufBytes([ggufEntry("k", 0, [1]), ggufEntry("k", 0, [1])], [], new Uint8Array()),
      /key k twice/,
    ],
    [
      "one tensor twice",
      ggufBytes([], [ggufInfo("a", [0], 0, 0), ggufInfo("a", [0], 0, 0)], new Uint8Array()),
      /twice/,
    ],
    ["five dimensions", info("a", [1, 1, 1, 1, 1], 0, 0), /5 dimensions/],
    ["a shape beyond all numbers", info("a", [2 ** 40, 2 ** 40], 0, 0), /more values/],
    ["a dimension beyond all numbers", info("a", [2 ** 60], 0, 0), /impossible dimension/],
    ["half a block", info("a", [33], 2, 0), /blocks of 32/],
    ["blocks across rows", info("a", [16, 2], 2, 0), /blocks of 32/],
    ["a tensor behind the end", info("a", [4], 0, 64), /should lie at 64/],
    ["a tensor over the end", info("a", [32], 0, 0), /should lie at 0 with 128 bytes/],
    ["an offset beyond all numbers", info("a", [4], 0, 2 ** 62), /should lie at/],
    ["an offset that is not aligned", info("a", [4], 0, 4), /alignment of 32/],
    ["an unknown kind of block", info("a", [256], 19, 0), /IQ1_S/, UnsupportedError],
    [
      "overlap",
      ggufBytes([], [ggufInfo("a", [16], 0, 0), ggufInfo("b", [4], 0, 32)], new Uint8Array(64)),
      /overlap/,
    ],
    [
      "an alignment of 3",
      ggufBytes([ggufEntry("general.alignment", 4, u32(3))], [], new Uint8Array()),
      /power of two/,
    ],
    [
      "an alignment of 0",
      ggufBytes([ggufEntry("general.alignment", 4, u32(0))], [], new Uint8Array()),
      /power of two/,
    ],
    [
      "an alignment in words",
      ggufBytes([ggufEntry("general.alignment", 7, [1])], [], new Uint8Array()),
      /power of two/,
    ],
  ])("%s", async (_, bytes, message, kind = InvalidFileError) => {
    const started = performance.now()
    const error = await open(bytes).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(kind)
    expect(String(error)).toMatch(message)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test("a file cut anywhere", async () => {
    const whole = smallGguf()
    const end = whole.length - 14 // the padding of the last tensor may be missing
    for (let length = 0; length < end; length++)
      await expect(open(whole.subarray(0, length))).rejects.toThrow(InvalidFileError)
    expect((await open(whole.subarray(0, end))).tensors.size).toBe(2)
  })
})

describe("writing", () => {
  const metadata = new Map<string, GgufValue>([
    ["u8", { type: "uint8", value: 200 }],
    ["i8", { type: "int8", value: -100 }],
    ["u16", { type: "uint16", value: 60000 }],
    ["i16", { type: "int16", value: -30000 }],
    ["u32", { type: "uint32", value: 4e9 }],
    ["i32", { type: "int32", value: -2e9 }],
    ["u64", { type: "uint64", value: 2n ** 63n + 1n }],
    ["i64", { type: "int64", value: -5 }],
    ["f32", { type: "float32", value: 0.5 }],
    ["f64", { type: "float64", value: 0.1 }],
    ["yes", { type: "bool", value: true }],
    ["text", { type: "string", value: "ü\0🦙" }],
    ["tokens", { type: "array", of: "string", value: ["", "a", "🦙".repeat(30_000)] }],
    ["scores", { type: "array", of: "float32", value: new Float32Array([1, -2]) }],
    ["types", { type: "array", of: "int32", value: new Int32Array([1, -2]) }],
    ["big", { type: "array", of: "uint64", value: [1, 2n ** 60n] }],
    ["flags", { type: "array", of: "bool", value: [true, false] }],
    [
      "nested",
      { type: "array", of: "array", value: [{ type: "array", of: "uint8", value: new Uint8Array([1]) }] },
    ],
  ])
  const written = encodings.filter((encoding) => encoding !== "bool" && encoding !== "u8")
  const entries = written.map((encoding): TensorEntry => {
    const shape = [3, blockSize(encoding) === 1 ? 5 : 256]
    const byteLength = (3 * shape[1] * blockBytes(encoding)) / blockSize(encoding)
    return { name: `tensor.${encoding}`, shape, encoding, byteLength }
  })
  const bytesOf = ({ name, byteLength }: TensorEntry) =>
    Uint8Array.from({ length: byteLength }, (_, i) => name.length * i)
  async function* produce(name: string): AsyncGenerator<Uint8Array> {
    yield bytesOf(entries.find((entry) => entry.name === name)!)
  }

  test("what is written is read back, types included", async () => {
    const path = join(temporaryFolder(), "model.gguf")
    await writeGguf(path, metadata, entries, produce)
    const file = await openGguf(await fileSource(path))
    expect(file.typedMetadata).toEqual(metadata)
    for (const entry of entries) {
      const { name, shape, encoding, byteLength } = file.tensors.get(entry.name)!
      expect({ name, shape, encoding, byteLength }).toEqual(entry)
      const bytes = new Uint8Array(byteLength)
      await file.read(name, 0, bytes)
      expect(bytes).toEqual(bytesOf(entry))
    }
    await file.close()
    expect(readFileSync(path).length % 32).toBe(0)
    // A second time, from what was read: the same file.
    const again = join(temporaryFolder(), "again.gguf")
    await writeGguf(again, file.typedMetadata, entries, produce)
    expect(Buffer.compare(readFileSync(again), readFileSync(path))).toBe(0)
  })

  test("the bytes of the header are those of the format", async () => {
    const path = join(temporaryFolder(), "model.gguf")
    const entry: TensorEntry = { name: "w", shape: [2, 3], encoding: "f32", byteLength: 24 }
    const key = new Map<string, GgufValue>([["k", { type: "uint32", value: 7 }]])
    await writeGguf(path, key, [entry], async function* () {
      yield f32Bytes(1, 2, 3, 4, 5, 6)
    })
    const expected = ggufBytes(
      [ggufEntry("k", 4, u32(7))],
      [ggufInfo("w", [3, 2], ggmlTypeOfEncoding("f32"), 0)],
      f32Bytes(1, 2, 3, 4, 5, 6),
    )
    expect(new Uint8Array(readFileSync(path))).toEqual(concat(expected, new Uint8Array(8)))
  })

  test("values that do not fit are refused", async () => {
    const path = join(temporaryFolder(), "model.gguf")
    const attempt = (value: unknown, entry?: Partial<TensorEntry>) =>
      writeGguf(
        path,
        new Map([["k", value as GgufValue]]),
        entry ? [{ name: "w", shape: [1], encoding: "f32", byteLength: 4, ...entry }] : [],
        produce,
      )
    const fine = { type: "uint8", value: 1 }
    await expect(attempt({ type: "uint32", value: -1 })).rejects.toThrow(/number -1 is not a uint32/)
    await expect(attempt({ type: "int8", value: 128 })).rejects.toThrow(InvalidOptionError)
    await expect(attempt({ type: "uint64", value: 0.5 })).rejects.toThrow(InvalidOptionError)
    await expect(attempt({ type: "string", value: 5 })).rejects.toThrow(InvalidOptionError)
    await expect(attempt({ type: "array", of: "bool", value: [1] })).rejects.toThrow(InvalidOptionError)
    await expect(attempt(fine, { encoding: "u8", byteLength: 1 })).rejects.toThrow(UnsupportedError)
    await expect(attempt(fine, { shape: [1, 1, 1, 1, 1] })).rejects.toThrow(UnsupportedError)
    await expect(attempt(fine, { name: "n".repeat(64) })).rejects.toThrow(/longer than the 63 bytes/)
    await expect(attempt(fine, { byteLength: 5 })).rejects.toThrow(/takes 4 bytes/)
    expect(() => readFileSync(path)).toThrow()
  })
})
