// Distillation by recipe: asked ahead or on the fly, the teacher says the same; and it helps.
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { train } from "./run.js"
import { trainingFolder } from "./run-fixture.js"

test("a teacher that is asked ahead teaches what it teaches on the fly", async () => {
  await using folder = await trainingFolder()
  await train(folder.recipe({ output: "teacher", schedule: { steps: 6 } }), { folder: folder.path })
  const lossesWith = async (output: string, ahead: boolean) => {
    const losses: number[] = []
    const recipe = folder.recipe({
      method: "distill",
      output,
      teacher: { from: "teacher/model", hard: 0.5, topK: 20, ahead },
      // no record is divided, so the teacher sees the same context both times
      data: { sources: [{ files: "texts.txt" }], validation: 0.05, context: 512 },
      batch: { tokens: 512, microTokens: 512 },
      schedule: { steps: 2, warmup: 1 },
      validate: { every: 0, tokens: 200 },
    })
    await train(recipe, { folder: folder.path, onStep: ({ loss }) => losses.push(loss) })
    return losses
  }
  const fly = await lossesWith("fly", false)
  const ahead = await lossesWith("ahead", true)
  for (const [i, loss] of ahead.entries()) expect(loss).toBeCloseTo(fly[i], 1)
  const kept = await readdir(join(folder.path, "ahead/data"))
  expect(kept.filter((name) => /\.teacher-\d{5}$/.test(name)).length).toBe(1)
})
