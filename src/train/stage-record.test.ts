import { rm } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { readStages } from "../card/index.js"
import { readEnergy } from "../energy/index.js"
import { train } from "./run.js"
import { trainingFolder } from "./run-fixture.js"

test("every checkpoint tells its energy, a resumed run goes on counting, the model tells its stages", async () => {
  await using folder = await trainingFolder()
  const recipe = folder.recipe({ energy: { processorWatts: 100, usageEffectiveness: 1.5 } })
  const stop = new AbortController()
  await train(recipe, {
    folder: folder.path,
    signal: stop.signal,
    onStep: ({ step }) => step === 12 && stop.abort(),
  })
  const stopped = (await readEnergy(join(folder.path, "run/checkpoints/step-00000012")))!
  expect(stopped.processorHours).toBeGreaterThan(0)
  expect(stopped.kilowattHours).toBeCloseTo(1.5 * stopped.deviceKilowattHours, 15)
  await train(recipe, { folder: folder.path, resume: true })
  const whole = (await readEnergy(join(folder.path, "run/model")))!
  expect(whole.processorHours).toBeGreaterThan(stopped.processorHours)
  expect(whole.hours).toBeGreaterThan(stopped.hours)

  const [stage, ...others] = await readStages(join(folder.path, "run/model"))
  expect(others).toEqual([])
  expect(stage).toMatchObject({ method: "pretrain", steps: 20, settings: { learningRate: 0.01 } })
  expect(stage.tokens).toBeGreaterThan(0)
  expect(stage.data[0].tokens).toBeGreaterThan(0)
  expect(Object.values(stage.after!)[0].loss).toBeGreaterThan(0)
  expect(JSON.stringify(stage)).not.toContain(folder.path)
})

test("a finished run from before there was a meter gets its record by going on", async () => {
  await using folder = await trainingFolder()
  const recipe = folder.recipe()
  await train(recipe, { folder: folder.path })
  const [recorded] = await readStages(join(folder.path, "run/model"))
  for (const place of ["checkpoints/step-00000020", "checkpoints/step-00000015", "model"])
    for (const file of ["energy.json", "training.json"])
      await rm(join(folder.path, "run", place, file), { force: true })
  await train(recipe, { folder: folder.path, resume: true })
  const [again] = await readStages(join(folder.path, "run/model"))
  expect(again).toMatchObject({ steps: 20, tokens: recorded.tokens, after: recorded.after })
  expect(again.energy!.methods[0]).toMatch(/^estimated: hours by the clock times 1 threads/)
  expect(again.energy!.hours).toBeGreaterThan(0)
})
