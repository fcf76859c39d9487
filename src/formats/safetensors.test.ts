import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { open as openHandle } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import {
  InvalidFileError,
  InvalidOptionError,
  ModelNotFoundError,
  UnsupportedError,
} from "../errors/index.js"
import { blobSource, type ByteSource, memorySource } from "./byte-source.js"
import { fileSource } from "./file-source.js"
import { openSafetensors, openShardedSafetensors } from "./safetensors.js"
import {
  concat,
  f32Bytes,
  safetensorsBytes,
  smallSafetensors,
  temporaryFolder,
  u64,
  utf8,
} from "./samples-fixture.js"
import type { TensorEntry } from "./tensor-file.js"
import { writeSafetensors } from "./write-safetensors.js"

const open = (bytes: Uint8Array) => openSafetensors(memorySource(bytes, "test.safetensors"))
const one = (entry: Record<string, unknown>, data = new Uint8Array(16)) =>
  open(safetensorsBytes({ a: { dtype: "F32", shape: [4], data_offsets: [0, 16], ...entry } }, data))

const goldenPath = new URL("../../test/goldens/tiny-llama/model.safetensors", import.meta.url)

describe("reading", () => {
  test("the golden model", async () => {
    const file = await openSafetensors(await fileSource(fileURLToPath(goldenPath)))
    expect(file.metadata).toEqual(new Map([["format", "pt"]]))
    expect(file.tensors.size).toBe(29)
    expect(file.tensors.get("model.layers.2.mlp.down_proj.weight")).toMatchObject({
      shape: [128, 352],
      encoding: "f32",
      byteLength: 180224,
    })
    const raw = readFileSync(goldenPath)
    const norm = new Uint8Array(512)
    await file.read("model.norm.weight", 0, norm)
    expect(Buffer.compare(norm, raw.subarray(raw.length - 512))).toBe(0)
    await file.close()
  })

  test("from a Blob, in parts", async () => {
    const file = await openSafetensors(blobSource(new Blob([smallSafetensors().slice()])))
    const part = new Float32Array(2)
    await file.read("a", 4, new Uint8Array(part.buffer))
    expect([...part]).toEqual([2, 3])
    await expect(file.read("a", 12, new Uint8Array(8))).rejects.toThrow(InvalidOptionError)
    await expect(file.read("c", 0, new Uint8Array(1))).rejects.toThrow(/no tensor c/)
  })
})

describe("hostile headers", () => {
  const nested = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`
  const twice = '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}'
  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(), /bytes 0 to 8/],
    ["seven bytes", new Uint8Array(7), /bytes 0 to 8/],
    ["an endless header", concat(u64(2 ** 53), utf8("{}")), /announces a safetensors header/],
    ["a header longer than the file", concat(u64(3), utf8("{}")), /announces a safetensors header of 3/],
    ["no UTF-8", concat(u64(2), [0xff, 0xfe]), /not UTF-8/],
    ["no JSON", safetensorsBytes('{"a":'), /not valid JSON/],
    ["an array", safetensorsBytes("[]"), /JSON object/],
    ["deep nesting", safetensorsBytes(nested), /nests deeper/],
    ["two tensors of one name", safetensorsBytes(twice), /names the key a twice/],
    [
      "too many values",
      safetensorsBytes(`[${"0,".repeat(4_200_000)}0]`),
      /more than 4194304 strings and marks/,
    ],
    ["too many strings", safetensorsBytes('"'.repeat(20_000_000)), /more than 4194304/],
    ["too many colons", safetensorsBytes(":".repeat(20_000_000)), /more than 4194304/],
    ["nothing but spaces", safetensorsBytes(" ".repeat(20_000_000)), /not valid JSON/],
    ["nothing but backslashes", safetensorsBytes(`"${"\\".repeat(20_000_000)}`), /not valid JSON/],
    ["metadata that is none", safetensorsBytes({ __metadata__: 3 }), /__metadata__/],
    ["bytes nobody owns", safetensorsBytes({}, new Uint8Array(1)), /take 0 bytes, but 1 follow/],
  ])("%s", async (_, bytes, message) => {
    const started = performance.now()
    const error = await open(bytes).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(InvalidFileError)
    expect(String(error)).toMatch(message)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["a type of another world", { dtype: "F8_E4M3" }, /F8_E4M3, which Cria does not read/],
    ["no shape", { shape: 4 }, /lacks/],
    ["a shape beyond all numbers", { shape: [2 ** 40, 2 ** 40] }, /more values/],
    ["a negative dimension", { shape: [-4] }, /impossible dimension -4/],
    ["half a value", { shape: [4.5] }, /impossible dimension 4.5/],
    ["an object as dimension", { shape: [{ toString: 1 }] }, /impossible dimension/],
    ["too many dimensions", { shape: Array(1000).fill(1) }, /1000 dimensions/],
    ["a shape of other size", { shape: [5] }, /takes 20 bytes, but its data_offsets hold 16/],
    ["offsets outside", { data_offsets: [8, 24] }, /outside of the 16 bytes/],
    ["offsets reversed", { data_offsets: [16, 0] }, /outside/],
    ["offsets that are text", { data_offsets: ["0", "16"] }, /outside/],
    ["three offsets", { data_offsets: [0, 8, 16] }, /two data_offsets/],
  ])("%s", async (_, entry, message) => {
    await expect(one(entry)).rejects.toThrow(message)
  })

  test("overlapping tensors", async () => {
    const entry = (begin: number) => ({ dtype: "F32", shape: [2], data_offsets: [begin, begin + 8] })
    await expect(open(safetensorsBytes({ a: entry(0), b: entry(4) }, new Uint8Array(12)))).rejects.toThrow(
      /overlap/,
    )
  })

  test("a file cut anywhere", async () => {
    const whole = smallSafetensors()
    for (let length = 0; length < whole.length; length++)
      await expect(open(whole.subarray(0, length))).rejects.toThrow(InvalidFileError)
  })
})

describe("shards", () => {
  const shard = (...names: string[]) =>
    safetensorsBytes(
      Object.fromEntries(
        names.map((name, i) => [name, { dtype: "F32", shape: [1], data_offsets: [4 * i, 4 * i + 4] }]),
      ),
      f32Bytes(...names.map((_, i) => i)),
    )
  const files: Record<string, Uint8Array> = {
    "1.safetensors": shard("a", "b"),
    "2.safetensors": shard("c"),
    "3.safetensors": shard("c", "d"),
  }
  const closed: string[] = []
  const openShards = (weightMap: unknown) =>
    openShardedSafetensors(
      utf8(JSON.stringify({ weight_map: weightMap })),
      "index",
      async (name): Promise<ByteSource> => {
        if (!(name in files)) throw new ModelNotFoundError(`${name} does not exist`)
        return { ...memorySource(files[name], name), close: async () => void closed.push(name) }
      },
    )

  test("are one file", async () => {
    const file = await openShards({ a: "1.safetensors", b: "1.safetensors", c: "2.safetensors" })
    expect([...file.tensors.keys()]).toEqual(["a", "b", "c"])
    const b = new Float32Array(1)
    await file.read("b", 0, new Uint8Array(b.buffer))
    expect(b[0]).toBe(1)
  })

  test.each([
    "../1.safetensors",
    "/etc/1.safetensors",
    "a/1.safetensors",
    "a\\1.safetensors",
    "C:\\1.safetensors",
    "index.json",
    "..",
    "",
    7,
    null,
  ])("never leave the folder: %s", async (name) => {
    await expect(openShards({ a: name })).rejects.toThrow(/plain name of a .safetensors file/)
  })

  test("must hold what the index says, once, and are closed on failure", async () => {
    await expect(openShards({})).rejects.toThrow(/names 0 files/)
    await expect(openShards([])).rejects.toThrow(/weight_map/)
    await expect(openShards({ z: "1.safetensors" })).rejects.toThrow(/holds z, but it does not/)
    await expect(openShards({ a: "9.safetensors" })).rejects.toThrow(ModelNotFoundError)
    closed.length = 0
    await expect(openShards({ c: "2.safetensors", d: "3.safetensors" })).rejects.toThrow(/in both/)
    expect(closed).toEqual(["2.safetensors", "3.safetensors"])
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`${i}`, `${i}.safetensors`]))
    await expect(openShards(many)).rejects.toThrow(/2000 files/)
  })
})

describe("writing", () => {
  const entry = (name: string, shape: number[], encoding: "f32" | "bf16" | "u8"): TensorEntry => {
    const width = { f32: 4, bf16: 2, u8: 1 }[encoding]
    return { name, shape, encoding, byteLength: shape.reduce((a, b) => a * b, 1) * width }
  }
  const entries = [
    entry("u", [3], "u8"),
    entry("b", [5], "bf16"),
    entry("f", [2, 3], "f32"),
    entry("s", [], "f32"),
  ]
  const bytesOf = ({ name, byteLength }: TensorEntry) =>
    Uint8Array.from({ length: byteLength }, (_, i) => name.charCodeAt(0) + i)
  async function* produce(name: string): AsyncGenerator<Uint8Array> {
    const bytes = bytesOf(entries.find((candidate) => candidate.name === name)!)
    yield bytes.subarray(0, 2)
    yield bytes.subarray(2)
  }
  const readBack = async (file: Awaited<ReturnType<typeof open>>) => {
    expect([...file.tensors.keys()].toSorted()).toEqual(entries.map(({ name }) => name).toSorted())
    for (const expected of entries) {
      const { name, shape, encoding, byteLength } = file.tensors.get(expected.name)!
      expect({ name, shape, encoding, byteLength }).toEqual(expected)
      const bytes = new Uint8Array(byteLength)
      await file.read(name, 0, bytes)
      expect(bytes).toEqual(bytesOf(expected))
    }
    await file.close()
  }

  test("what is written is read back, and laid out as others expect", async () => {
    const folder = temporaryFolder()
    await writeSafetensors(folder, entries, produce, { metadata: { made: "here" } })
    expect(readdirSync(folder)).toEqual(["model.safetensors"])
    const raw = readFileSync(join(folder, "model.safetensors"))
    expect(Number(raw.readBigUint64LE(0)) % 8).toBe(0)
    const file = await openSafetensors(await fileSource(join(folder, "model.safetensors")))
    expect(file.metadata).toEqual(
      new Map([
        ["made", "here"],
        ["format", "pt"],
      ]),
    )
    // Wider types first: every tensor starts at a multiple of its width.
    expect([...file.tensors.keys()]).toEqual(["f", "s", "b", "u"])
    await readBack(file)
  })

  test("shards with an index replace the single file", async () => {
    const folder = temporaryFolder()
    await writeSafetensors(folder, entries, produce)
    await writeSafetensors(join(folder, "model.safetensors"), entries, produce, { maxShardBytes: 24 })
    const names = [
      "model-00001-of-00003.safetensors",
      "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors",
    ]
    expect(readdirSync(folder).toSorted()).toEqual([...names, "model.safetensors.index.json"])
    const index = readFileSync(join(folder, "model.safetensors.index.json"))
    expect(JSON.parse(index.toString())).toMatchObject({ metadata: { total_size: 41 } })
    await readBack(await openShardedSafetensors(index, "index", (name) => fileSource(join(folder, name))))
  })

  test("a failure leaves the old file and nothing else", async () => {
    const folder = temporaryFolder()
    const path = join(folder, "model.safetensors")
    writeFileSync(path, "old")
    const failing = async function* (name: string): AsyncGenerator<Uint8Array> {
      if (name === "b") throw new Error("stopped")
      yield* produce(name)
    }
    const short = async function* (): AsyncGenerator<Uint8Array> {}
    const long = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(100)
    }
    await expect(writeSafetensors(path, entries, failing)).rejects.toThrow("stopped")
    await expect(writeSafetensors(path, entries, failing, { maxShardBytes: 4 })).rejects.toThrow("stopped")
    await expect(writeSafetensors(path, entries, short)).rejects.toThrow(
      /announced with 24 bytes, but 0 came/,
    )
    await expect(writeSafetensors(path, entries, long)).rejects.toThrow(/but more came/)
    await expect(writeSafetensors(path, [entries[0], entries[0]], produce)).rejects.toThrow(/two tensors/)
    await expect(writeSafetensors(path, [{ ...entries[0], byteLength: 4 }], produce)).rejects.toThrow(
      /takes 3 bytes/,
    )
    const blocks = { name: "q", shape: [32], encoding: "q4_0", byteLength: 18 } as const
    await expect(writeSafetensors(path, [blocks], produce)).rejects.toThrow(UnsupportedError)
    expect(readdirSync(folder)).toEqual(["model.safetensors"])
    expect(readFileSync(path, "utf8")).toBe("old")
    await expect(writeSafetensors(join(folder, "no", "model.safetensors"), entries, produce)).rejects.toThrow(
      /does not exist/,
    )
  })
})

describe("files", () => {
  test("a tensor beyond 4 GiB is read (the file is a hole)", async () => {
    const path = join(temporaryFolder(), "model.safetensors")
    const far = 5 * 2 ** 30
    const header = safetensorsBytes({
      hole: { dtype: "I8", shape: [5, 2 ** 30], data_offsets: [0, far] },
      far: { dtype: "F32", shape: [2], data_offsets: [far, far + 8] },
    })
    writeFileSync(path, header)
    truncateSync(path, header.length + far + 8)
    const handle = await openHandle(path, "r+")
    await handle.write(f32Bytes(1.5, -2), 0, 8, header.length + far)
    await handle.close()

    const file = await openSafetensors(await fileSource(path))
    const values = new Float32Array(2)
    await file.read("far", 0, new Uint8Array(values.buffer))
    expect([...values]).toEqual([1.5, -2])
    const last = new Uint8Array(4).fill(9)
    await file.read("hole", far - 4, last)
    expect([...last]).toEqual([0, 0, 0, 0])
    await file.close()
  })

  test("what is no readable file is refused", async () => {
    const folder = temporaryFolder()
    await expect(fileSource(folder)).rejects.toThrow(/not a regular file/)
    await expect(fileSource(join(folder, "none"))).rejects.toThrow(ModelNotFoundError)
    const path = join(folder, "short")
    writeFileSync(path, "12345678")
    const source = await fileSource(path)
    truncateSync(path, 2)
    await expect(source.read(0, new Uint8Array(8))).rejects.toThrow(/became shorter/)
    await expect(source.read(4, new Uint8Array(8))).rejects.toThrow(InvalidFileError)
    await source.close()
  })
})
