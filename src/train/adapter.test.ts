// Adapters from training to inference: apart and merged they are the same model, and the files are those of PEFT.
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { bindAdapter, readAdapter, withAdapter } from "../adapters/index.js"
import { ReferenceBackend } from "../backends/reference/reference.js"
import { diskFolder, openCheckpoint } from "../formats/disk-folder.js"
import { fileSource } from "../formats/file-source.js"
import { openSafetensors } from "../formats/safetensors.js"
import { loadModel } from "../model/checkpoint.js"
import { forward } from "../model/llama.js"
import { train } from "./run.js"
import { trainingFolder, type TrainingFolder } from "./run-fixture.js"

const ids = Int32Array.from([260, 84, 104, 101, 32, 99, 97, 116])
const batch = {
  ids,
  positions: ids.map((_, i) => i),
  sequences: [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array(0) }],
  outputs: ids.map((_, i) => i),
}

/** Logits of a model, with an adapter where one is named. */
async function logits(model: string, adapter?: string): Promise<Float32Array> {
  const backend = await ReferenceBackend.create()
  const checkpoint = await openCheckpoint(model)
  const loaded = await loadModel(checkpoint, backend)
  await checkpoint.close()
  const factors = adapter === undefined ? [] : await readAdapter(diskFolder(adapter), loaded.config)
  const ops = withAdapter(backend, bindAdapter(backend, loaded, factors))
  return backend.read(forward(ops, loaded, batch))
}

const largestDifference = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0)

/** A base model, and runs that train an adapter to it. */
async function withBase(folder: TrainingFolder) {
  await train(folder.recipe({ output: "base", schedule: { steps: 10 } }), { folder: folder.path })
  return (output: string, adapter: object, changes: object = {}) =>
    folder.recipe({
      output,
      model: { from: "base/model" },
      adapter: { rank: 4, ...adapter },
      batch: { tokens: 128, microTokens: 128 },
      optimizer: { learningRate: 0.02 },
      schedule: { steps: 8, warmup: 1 },
      checkpoints: { every: 3 },
      ...changes,
    })
}

describe("an adapter", () => {
  test("learns, changes nothing of the base, and is the same merged and apart", async () => {
    await using folder = await trainingFolder()
    const recipe = await withBase(folder)
    const at = (path: string) => join(folder.path, path)
    const before = await readFile(at("base/model/model.safetensors"))
    const losses: number[] = []
    const long = { schedule: { steps: 16, warmup: 1 }, optimizer: { learningRate: 0.1 } }
    await train(recipe("apart", {}, long), { folder: folder.path, onStep: ({ loss }) => losses.push(loss) })
    await train(recipe("merged", { merge: true }, long), { folder: folder.path })
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)))
    expect(await readFile(at("base/model/model.safetensors"))).toEqual(before)
    const base = await logits(at("base/model"))
    const apart = await logits(at("base/model"), at("apart/model"))
    const merged = await logits(at("merged/model"))
    expect(largestDifference(base, apart)).toBeGreaterThan(0.1)
    expect(largestDifference(merged, apart)).toBeLessThan(1e-4)
  })

  test("that is stopped goes on to the same factors, bit for bit", async () => {
    await using folder = await trainingFolder()
    const recipe = await withBase(folder)
    await train(recipe("whole", {}), { folder: folder.path })
    for (const stopAfter of [4, 8]) {
      const stop = new AbortController()
      await train(recipe("parts", {}), {
        folder: folder.path,
        resume: true,
        signal: stop.signal,
        onStep: ({ step }) => step === stopAfter && stop.abort(),
      })
    }
    const factors = (run: string) => readFile(join(folder.path, run, "model/adapter_model.safetensors"))
    expect(await factors("parts")).toEqual(await factors("whole"))
  })

  test("is written as PEFT has it, and read back", async () => {
    await using folder = await trainingFolder()
    const recipe = await withBase(folder)
    await train(recipe("run", { targets: ["query", "down"], alpha: 6 }), { folder: folder.path })
    const path = join(folder.path, "run/model")
    const config = JSON.parse(await readFile(join(path, "adapter_config.json"), "utf8")) as object
    expect(config).toMatchObject({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      r: 4,
      lora_alpha: 6,
      target_modules: ["q_proj", "down_proj"],
    })
    const tensors = await openSafetensors(await fileSource(join(path, "adapter_model.safetensors")))
    expect([...tensors.tensors.keys()].toSorted()).toEqual([
      "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight",
      "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
    ])
    expect(tensors.tensors.get("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight")!.shape).toEqual(
      [4, 32],
    )
    await tensors.close()
    const checkpoint = await openCheckpoint(join(folder.path, "base/model"))
    const { layoutOf } = await import("../model/checkpoint.js")
    const { config: model } = await layoutOf(checkpoint)
    await checkpoint.close()
    const factors = await readAdapter(diskFolder(path), model)
    expect(factors.map(({ target, layer, rank, scale }) => ({ target, layer, rank, scale }))).toEqual([
      { target: "query", layer: 0, rank: 4, scale: 1.5 },
      { target: "down", layer: 0, rank: 4, scale: 1.5 },
    ])
    // what PEFT can say beyond this is refused, and so is an adapter of another model
    const rewrite = (changes: object) =>
      writeFile(join(path, "adapter_config.json"), JSON.stringify({ ...config, ...changes }))
    await rewrite({ use_dora: true })
    await expect(readAdapter(diskFolder(path), model)).rejects.toThrow(/use_dora: DoRA is not done/)
    await rewrite({ peft_type: "IA3" })
    await expect(readAdapter(diskFolder(path), model)).rejects.toThrow(/peft_type: is no LoRA/)
    await rewrite({ r: 1e9 })
    await expect(readAdapter(diskFolder(path), model)).rejects.toThrow(/adapter_config\.json: r:/)
    await rewrite({})
    await expect(readAdapter(diskFolder(path), { ...model, width: 24 })).rejects.toThrow(
      /is \[.*for this model it has to be/,
    )
    await rewrite({ use_rslora: true })
    expect((await readAdapter(diskFolder(path), model))[0].scale).toBe(3)
  })

  test("needs a model to adapt", async () => {
    await using folder = await trainingFolder()
    await expect(train(folder.recipe({ adapter: {} }), { folder: folder.path })).rejects.toThrow(
      /an adapter needs a model to adapt/,
    )
  })
})
