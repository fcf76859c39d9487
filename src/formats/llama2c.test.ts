import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { memorySource } from "./byte-source.js"
import { fileSource } from "./file-source.js"
import { openLlama2c } from "./llama2c.js"
import { llama2cBytes } from "./samples-fixture.js"

const open = (bytes: Uint8Array) => openLlama2c(memorySource(bytes, "test.bin"))
const header = [8, 12, 2, 4, 2, 5, 6]

test("tensors lie where run.c maps them", async () => {
  const file = await open(llama2cBytes(header.with(5, -5)))
  const first = async (name: string) => {
    const value = new Float32Array(1)
    await file.read(name, 0, new Uint8Array(value.buffer))
    return [value[0], file.tensors.get(name)!.shape]
  }
  // Every float of the file is its own index.
  const offsets = {
    embedding: 0,
    attNorm: 40,
    wq: 56,
    wk: 184,
    wv: 248,
    wo: 312,
    ffnNorm: 440,
    w1: 456,
    w2: 648,
  }
  expect(await first("token_embedding_table")).toEqual([offsets.embedding, [5, 8]])
  expect(await first("layers.1.rms_att_weight")).toEqual([offsets.attNorm + 8, [8]])
  expect(await first("layers.1.wq")).toEqual([offsets.wq + 64, [8, 8]])
  expect(await first("layers.0.wk")).toEqual([offsets.wk, [4, 8]])
  expect(await first("layers.1.wv")).toEqual([offsets.wv + 32, [4, 8]])
  expect(await first("layers.0.wo")).toEqual([offsets.wo, [8, 8]])
  expect(await first("layers.0.rms_ffn_weight")).toEqual([offsets.ffnNorm, [8]])
  expect(await first("layers.1.w1")).toEqual([offsets.w1 + 96, [12, 8]])
  expect(await first("layers.1.w2")).toEqual([offsets.w2 + 96, [8, 12]])
  expect(await first("layers.0.w3")).toEqual([840, [12, 8]])
  expect(await first("rms_final_weight")).toEqual([1032, [8]])
  expect(await first("wcls")).toEqual([1040 + 2 * 6, [5, 8]])
  expect(Object.fromEntries(file.metadata)).toEqual({
    dim: 8,
    hidden_dim: 12,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    vocab_size: 5,
    seq_len: 6,
    shared_classifier: false,
  })
})

test("a shared classifier is no tensor of its own", async () => {
  const file = await open(llama2cBytes(header))
  expect(file.tensors.has("wcls")).toBe(false)
  expect(file.metadata.get("shared_classifier")).toBe(true)
})

test("files that do not add up are refused", async () => {
  const bytes = llama2cBytes(header)
  for (let length = 0; length < bytes.length; length += 50)
    await expect(open(bytes.subarray(0, length))).rejects.toThrow(InvalidFileError)
  const changed = (at: number, value: number) => {
    const copy = bytes.slice()
    new DataView(copy.buffer).setInt32(at * 4, value, true)
    return open(copy)
  }
  await expect(changed(0, -8)).rejects.toThrow(/make no sense/)
  await expect(changed(3, 3)).rejects.toThrow(/make no sense/)
  await expect(changed(2, 2 ** 31 - 1)).rejects.toThrow(/make no sense/)
  await expect(changed(0, 2 ** 31 - 4)).rejects.toThrow(InvalidFileError)
  await expect(changed(5, 6)).rejects.toThrow(/asks for/)
  await expect(changed(0, 0x616b3432)).rejects.toThrow(UnsupportedError)
})

test("stories260K", async (context) => {
  const path = fileURLToPath(
    new URL("../../../shared/reference/stories260K/stories260K.bin", import.meta.url),
  )
  if (!existsSync(path)) return context.skip("../shared/reference/stories260K is not here")
  const file = await openLlama2c(await fileSource(path))
  expect(file.tensors.size).toBe(47)
  expect(file.tensors.get("layers.4.w2")?.shape).toEqual([64, 172])
  expect(file.metadata.get("vocab_size")).toBe(512)
  const norm = new Float32Array(64)
  await file.read("rms_final_weight", 0, new Uint8Array(norm.buffer))
  expect(norm.every((value) => value > 0 && value < 50)).toBe(true)
  await file.close()
})
