import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { train } from "./run.js"
import { trainingFolder } from "./run-fixture.js"

test("pretraining lowers the loss and leaves a model", async () => {
  await using folder = await trainingFolder()
  const losses: number[] = []
  const result = await train(folder.recipe(), {
    folder: folder.path,
    onStep: ({ loss }) => losses.push(loss),
  })
  expect(result.finished).toBe(true)
  console.log(losses)
  expect(losses.at(-1)!).toBeLessThan(losses[0] - 1)
  console.log(await readFile(join(folder.path, "run/metrics.jsonl"), "utf8"))
})
