import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { Llama } from "../engine/node-llama.js"
import { train } from "./run.js"
import { trainingFolder, type TrainingFolder } from "./run-fixture.js"

interface Line {
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  readonly validation?: number
}

/** What of the log has to be the same, however often a run was stopped. */
async function logOf(folder: TrainingFolder, run: string) {
  const text = await readFile(join(folder.path, run, "metrics.jsonl"), "utf8")
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
    .map(({ step, loss, gradientNorm, validation }) => ({ step, loss, gradientNorm, validation }))
}

const weightsOf = (folder: TrainingFolder, run: string) =>
  readFile(join(folder.path, run, "model/model.safetensors"))

describe("a run", () => {
  test("lowers the loss and leaves a folder that the engine runs", async () => {
    await using folder = await trainingFolder()
    const losses: number[] = []
    const result = await train(folder.recipe(), {
      folder: folder.path,
      onStep: ({ loss }) => losses.push(loss),
    })
    expect(result).toMatchObject({ finished: true, step: 20, path: join(folder.path, "run/model") })
    expect(losses[0]).toBeCloseTo(Math.log(265), 1)
    expect(losses.at(-1)!).toBeLessThan(losses[0] - 1.5)
    expect((await readdir(join(folder.path, "run/checkpoints"))).toSorted()).toEqual([
      "step-00000015",
      "step-00000020",
    ])
    for (const model of ["run/model", "run/checkpoints/step-00000015"]) {
      const llama = await Llama.load(join(folder.path, model), { backend: "reference", inProcess: true })
      const text = await llama.generate("The cat", { maxTokens: 8, temperature: 0 }).text()
      expect(text.length).toBeGreaterThan(0)
      await llama.dispose()
    }
  })

  test("that is stopped and goes on twice has the losses and weights of one that was not, bit for bit", async () => {
    await using folder = await trainingFolder()
    await train(folder.recipe({ output: "whole" }), { folder: folder.path })
    const recipe = folder.recipe({ output: "parts" })
    for (const stopAfter of [3, 12, 20]) {
      const stop = new AbortController()
      const { finished, step } = await train(recipe, {
        folder: folder.path,
        resume: true,
        signal: stop.signal,
        onStep: ({ step }) => step === stopAfter && stop.abort(),
      })
      expect({ finished, step }).toEqual({ finished: stopAfter === 20, step: stopAfter })
    }
    expect(await logOf(folder, "parts")).toEqual(await logOf(folder, "whole"))
    expect(await weightsOf(folder, "parts")).toEqual(await weightsOf(folder, "whole"))
  })

  test("goes on from its last checkpoint when what came after it is lost, and cleans up", async () => {
    await using folder = await trainingFolder()
    const recipe = folder.recipe()
    await train(recipe, { folder: folder.path })
    const before = await logOf(folder, "run")
    const weights = await weightsOf(folder, "run")
    // as a kill in the middle of writing step 20 leaves it
    const checkpoints = join(folder.path, "run/checkpoints")
    await cp(join(checkpoints, "step-00000020"), join(checkpoints, ".step-00000020.0123456789ab.partial"), {
      recursive: true,
    })
    await rm(join(checkpoints, "step-00000020"), { recursive: true })
    await rm(join(folder.path, "run/model"), { recursive: true })
    const steps: number[] = []
    await train(recipe, { folder: folder.path, resume: true, onStep: ({ step }) => steps.push(step) })
    expect(steps).toEqual([16, 17, 18, 19, 20])
    expect(await logOf(folder, "run")).toEqual(before)
    expect(await weightsOf(folder, "run")).toEqual(weights)
    expect((await readdir(checkpoints)).toSorted()).toEqual(["step-00000015", "step-00000020"])
  })

  test("does not touch the folder of another run unless told to go on with it", async () => {
    await using folder = await trainingFolder()
    const recipe = folder.recipe({ schedule: { steps: 2 } })
    await train(recipe, { folder: folder.path })
    await expect(train(recipe, { folder: folder.path })).rejects.toThrow(/holds a run already: add --resume/)
  })

  test("stops where the loss is no number, and the last checkpoint stays good", async () => {
    await using folder = await trainingFolder()
    const recipe = folder.recipe({
      optimizer: { learningRate: 10, clip: 0, beta1: 0, beta2: 0 },
      checkpoints: { every: 1 },
    })
    const optimizer = { ...recipe.optimizer, learningRate: 1e30 }
    await expect(train({ ...recipe, optimizer }, { folder: folder.path })).rejects.toThrow(
      /(?:loss|gradient) became (?:NaN|Infinity|-Infinity) in step \d+: .* lower learning rate/,
    )
    expect((await readdir(join(folder.path, "run/checkpoints"))).length).toBeGreaterThan(0)
  })

  test("says which file of a checkpoint is damaged, and what to do", async () => {
    await using folder = await trainingFolder()
    const recipe = folder.recipe({ schedule: { steps: 2 } })
    await train(recipe, { folder: folder.path })
    const state = join(folder.path, "run/checkpoints/step-00000002/trainer.json")
    await writeFile(state, '{"version": 1, "step": "two"}')
    await expect(train(recipe, { folder: folder.path, resume: true })).rejects.toThrow(
      /trainer\.json is damaged: delete this folder/,
    )
  })
})
