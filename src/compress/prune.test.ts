import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Backend, createBackend } from "../backends/index.js"
import { InvalidOptionError } from "../errors/index.js"
import { openCheckpoint, writeSafetensors } from "../formats/node.js"
import { layoutOf, loadModel } from "../model/checkpoint.js"
import { convertModel } from "../model/convert.js"
import { forward } from "../model/llama.js"
import { decode } from "../weights/index.js"
import { measureImportance } from "./importance.js"
import { planPruning, type PrunePlan, type PruneTarget } from "./plan.js"
import { columnNorms, writePruned } from "./prune.js"

const tiny = fileURLToPath(new URL("../../test/goldens/tiny-llama", import.meta.url))
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 11) % 512)
let backend: Backend
let root: string
beforeAll(async () => {
  backend = await createBackend("reference")
  root = await mkdtemp(join(tmpdir(), "cria-prune-"))
})
afterAll(async () => {
  await backend.dispose()
  await rm(root, { recursive: true })
})

async function logitsOf(path: string): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(path)
  try {
    const model = await loadModel(checkpoint, backend)
    const range = Int32Array.from(ids, (_, i) => i)
    const sequences = [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array(0) }]
    return await backend.read(forward(backend, model, { ids, positions: range, sequences, outputs: range }))
  } finally {
    await checkpoint.close()
  }
}

async function pruned(
  path: string,
  name: string,
  target: PruneTarget,
): Promise<{ path: string; plan: PrunePlan }> {
  const checkpoint = await openCheckpoint(path)
  try {
    const model = await loadModel(checkpoint, backend)
    const importance = await measureImportance(backend, model, [ids, ids.toReversed()])
    expect(importance.tokens).toBe(48)
    const plan = planPruning(model.config, importance, await columnNorms(checkpoint), target)
    const folder = join(root, name)
    await writePruned(checkpoint, plan, folder)
    return { path: folder, plan }
  } finally {
    await checkpoint.close()
  }
}

/** The tiny model with some of its values changed; `change` gets rows of `columns` values. */
async function changed(
  name: string,
  change: (tensor: string, values: Float32Array, columns: number) => void,
): Promise<string> {
  const folder = join(root, name)
  await mkdir(folder)
  await copyFile(join(tiny, "config.json"), join(folder, "config.json"))
  const checkpoint = await openCheckpoint(tiny)
  const entries = [...checkpoint.tensors.tensors.values()]
  await writeSafetensors(folder, entries, async function* (tensor) {
    const { byteLength, shape } = checkpoint.tensors.tensors.get(tensor)!
    const bytes = new Uint8Array(byteLength)
    await checkpoint.tensors.read(tensor, 0, bytes)
    const values = new Float32Array(byteLength / 4)
    decode("f32", bytes, values)
    change(tensor, values, shape.at(-1)!)
    yield new Uint8Array(values.buffer)
  })
  await checkpoint.close()
  return folder
}

/** Largest difference, relative to the largest value. */
function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  const size = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) / size
}

const without = (count: number, gone: readonly number[]) =>
  Array.from({ length: count }, (_, i) => i).filter((i) => !gone.includes(i))

test("taking nothing out gives the same logits, from any format", async () => {
  const expected = await logitsOf(tiny)
  const same = await pruned(tiny, "same", {})
  expect(await logitsOf(same.path)).toEqual(expected)
  const checkpoint = await openCheckpoint(tiny)
  const gguf = join(root, "tiny.gguf")
  await convertModel(checkpoint, { to: "gguf", path: gguf })
  await checkpoint.close()
  expect(await logitsOf((await pruned(gguf, "from-gguf", {})).path)).toEqual(await logitsOf(gguf))
})

test("a layer that does nothing goes first, and is not missed", async () => {
  const idle = await changed("idle-layer", (tensor, values) => {
    if (/layers\.1\..*(o_proj|down_proj)/.test(tensor)) values.fill(0)
  })
  const { path, plan } = await pruned(idle, "fewer-layers", { layers: 2 })
  expect(plan.layers).toEqual([0, 2])
  expect(distance(await logitsOf(path), await logitsOf(idle))).toBe(0)
})

test("neurons without weight go first, and are not missed", async () => {
  const idle = [3, 4, 100, 351]
  const model = await changed("idle-neurons", (tensor, values, columns) => {
    if (tensor.includes("down_proj"))
      for (let i = 0; i < values.length; i++) if (idle.includes(i % columns)) values[i] = 0
  })
  const { path, plan } = await pruned(model, "fewer-neurons", { feedForwardWidth: 348 })
  for (const neurons of plan.neurons) expect([...neurons]).toEqual(without(352, idle))
  expect(distance(await logitsOf(path), await logitsOf(model))).toBeLessThan(1e-6)
})

test("neurons that are never active go first, whatever they weigh", async () => {
  const model = await changed("silent-neurons", (tensor, values, columns) => {
    if (tensor.includes("up_proj")) values.fill(0, 7 * columns, 9 * columns)
    if (tensor.includes("down_proj")) for (let i = 7; i < values.length; i += columns) values[i] = 50
  })
  const { path, plan } = await pruned(model, "without-silent", { feedForwardWidth: 350 })
  for (const neurons of plan.neurons) expect([...neurons]).toEqual(without(352, [7, 8]))
  expect(distance(await logitsOf(path), await logitsOf(model))).toBeLessThan(1e-6)
})

test("a key-value head goes with its query heads, the one that adds least first", async () => {
  const model = await changed("idle-heads", (tensor, values, columns) => {
    if (!tensor.includes("o_proj")) return
    const first = tensor.includes("layers.1.") ? 64 : 0 // query heads 2 and 3, or 0 and 1
    for (let i = 0; i < values.length; i++)
      if (i % columns >= first && i % columns < first + 64) values[i] = 0
  })
  const { path, plan } = await pruned(model, "fewer-heads", { kvHeads: 1 })
  expect(plan.kvHeads.map((heads) => [...heads])).toEqual([[1], [0], [1]])
  expect(plan.config).toMatchObject({ kvHeads: 1, queryHeads: 2, headWidth: 32 })
  expect(distance(await logitsOf(path), await logitsOf(model))).toBeLessThan(1e-6)
})

test("channels that carry nothing go first, and the norms make up for them", async () => {
  const idle = [0, 1, 17, 90, 127]
  const model = await changed("idle-channels", (tensor, values, columns) => {
    if (tensor.includes("embed_tokens"))
      for (let i = 0; i < values.length; i++) if (idle.includes(i % columns)) values[i] = 0
    if (/o_proj|down_proj/.test(tensor)) for (const d of idle) values.fill(0, d * columns, (d + 1) * columns)
  })
  const { path, plan } = await pruned(model, "narrower", { width: 123 })
  expect([...plan.channels]).toEqual(without(128, idle))
  expect(plan.gains[0]).toBeCloseTo(Math.sqrt(128 / 123), 12)
  // Epsilon weighs a little more against the larger mean.
  expect(distance(await logitsOf(path), await logitsOf(model))).toBeLessThan(1e-4)
})

test("everything at once makes an ordinary smaller model", async () => {
  const { path, plan } = await pruned(tiny, "small", {
    layers: 2,
    kvHeads: 1,
    feedForwardWidth: 96,
    width: 64,
  })
  const checkpoint = await openCheckpoint(path)
  const { config } = await layoutOf(checkpoint)
  await checkpoint.close()
  expect(config).toMatchObject({
    layers: 2,
    kvHeads: 1,
    queryHeads: 2,
    feedForwardWidth: 96,
    width: 64,
    headWidth: 32,
  })
  expect(config.ropeScaling).toEqual(plan.config.ropeScaling)
  const logits = await logitsOf(path)
  expect(logits.length).toBe(24 * 512)
  expect(logits.every(Number.isFinite)).toBe(true)
})

test("a target that is not smaller is refused", async () => {
  await expect(pruned(tiny, "larger", { layers: 4 })).rejects.toThrow(InvalidOptionError)
  await expect(pruned(tiny, "none", { kvHeads: 0 })).rejects.toThrow("kvHeads is 0, expected 1 to the 2")
})
