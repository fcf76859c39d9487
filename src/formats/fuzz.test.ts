// Small valid files of every format, damaged at random with a fixed seed: each outcome is a file that can be read
// or a typed error, quickly and without large allocations. Nothing else may ever be thrown.
import { expect, test } from "vitest"
import { CriaError, ModelNotFoundError } from "../errors/index.js"
import { type ByteSource, memorySource } from "./byte-source.js"
import { openGguf } from "./gguf.js"
import { openLlama2c } from "./llama2c.js"
import { openPth } from "./pth.js"
import { openSafetensors, openShardedSafetensors } from "./safetensors.js"
import {
  llama2cBytes,
  safetensorsBytes,
  smallGguf,
  smallPth,
  smallSafetensors,
  utf8,
} from "./samples-fixture.js"
import type { TensorFile } from "./tensor-file.js"

const rounds = 800

/** mulberry32: the same numbers everywhere. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const extremes = [0, 1, 2, 0x7f, 0x80, 0xff]

function damaged(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = bytes.slice()
  const at = random(copy.length)
  const length = 1 + random(12)
  switch (random(7)) {
    case 0:
      return copy.subarray(0, at)
    case 1:
      return Uint8Array.from([...copy.subarray(0, at), ...copy.subarray(at + length)])
    case 2:
      return Uint8Array.from([...copy.subarray(0, at + length), ...copy.subarray(at)])
    case 3:
      copy.copyWithin(random(copy.length), at, at + length)
      return copy
    case 4:
      return copy.fill(extremes[random(extremes.length)], at, at + 2 ** random(4))
    default:
      for (let flips = 1 + random(4); flips > 0; flips--) copy[random(copy.length)] ^= 1 << random(8)
      return copy
  }
}

/** A source that fails the test when a reader wants more at once than the file has. */
function guarded(bytes: Uint8Array): ByteSource {
  const source = memorySource(bytes)
  return {
    ...source,
    read: async (offset, into) => {
      if (into.length > bytes.length) throw new Error(`a read of ${into.length} bytes from ${bytes.length}`)
      await source.read(offset, into)
    },
  }
}

const shard = safetensorsBytes({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4))
const formats: [string, Uint8Array, (bytes: Uint8Array) => Promise<TensorFile>][] = [
  ["safetensors", smallSafetensors(), (bytes) => openSafetensors(guarded(bytes))],
  ["gguf", smallGguf(), (bytes) => openGguf(guarded(bytes))],
  ["pth", smallPth(), (bytes) => openPth(guarded(bytes))],
  ["pth with zip64", smallPth(true), (bytes) => openPth(guarded(bytes))],
  ["llama2c", llama2cBytes([4, 4, 1, 2, 1, -3, 2]), (bytes) => openLlama2c(guarded(bytes))],
  [
    "safetensors index",
    utf8(JSON.stringify({ metadata: { total_size: 4 }, weight_map: { a: "1.safetensors" } })),
    (bytes) =>
      openShardedSafetensors(bytes, "index", async (name) => {
        if (name !== "1.safetensors") throw new ModelNotFoundError(`${name} does not exist`)
        return memorySource(shard)
      }),
  ],
]

test.each(formats)("%s", async (_, bytes, open) => {
  const random = randomNumbers(20261123)
  const resident = process.memoryUsage().rss
  let opened = 0
  let slowest = 0
  await readAll(await open(bytes))
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    let broken = damaged(bytes, random)
    if (random(3) === 0) broken = damaged(broken.length > 0 ? broken : bytes, random)
    try {
      await readAll(await open(broken))
      opened++
    } catch (error) {
      if (!(error instanceof CriaError)) throw new Error(`round ${round}`, { cause: error })
    }
    slowest = Math.max(slowest, performance.now() - started)
  }
  expect(opened).toBeGreaterThan(0)
  expect(opened).toBeLessThan(rounds)
  expect(slowest).toBeLessThan(1000)
  expect(process.memoryUsage().rss - resident).toBeLessThan(256 * 2 ** 20)
})

async function readAll(file: TensorFile): Promise<void> {
  for (const { name, byteLength } of file.tensors.values()) {
    if (byteLength > 2 ** 20) throw new Error(`${name} of a small file claims ${byteLength} bytes`)
    await file.read(name, 0, new Uint8Array(byteLength))
  }
  await file.close()
}
