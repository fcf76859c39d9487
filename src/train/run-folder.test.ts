// Checkpoints are whole or absent, whatever happens while they are written.
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { RunFolder, type TrainerState } from "./run-folder.js"
import { trainingFolder } from "./run-fixture.js"
import { writeFileAtomically } from "../formats/write-file.js"
import { train } from "./run.js"

const state: TrainerState = { version: 1, step: 5, rows: 1, seconds: 1, seed: 1, cursors: [] }
const noTensors = async () => new Float32Array(0)
const full = () => Promise.reject(Object.assign(new Error("write failed"), { code: "ENOSPC" }))

test("a disk that is full leaves the checkpoint before, and says so", async () => {
  await using folder = await trainingFolder()
  const run = new RunFolder(join(folder.path, "run"))
  await run.prepare()
  await expect(run.save(state, [], full, noTensors, 2)).rejects.toThrow(
    /disk is full: .*There is no checkpoint yet/,
  )
  await run.save(state, [], (path) => writeFileAtomically(join(path, "model.txt"), "first"), noTensors, 2)
  await expect(run.save({ ...state, step: 6 }, [], full, noTensors, 2)).rejects.toThrow(
    /disk is full: .*step-00000006 could not be written\. .*step-00000005 is whole: make room, then go on with --resume/,
  )
  await expect(run.save(state, [], full, noTensors, 2)).rejects.toThrow(/step-00000005 is whole/)
  expect(await readdir(run.checkpoints)).toEqual(["step-00000005"])
  expect((await run.latest())!.state).toEqual(state)
  expect(await readFile(join(run.checkpoints, "step-00000005/model.txt"), "utf8")).toBe("first")
})

test("the oldest checkpoints go, the last ones stay", async () => {
  await using folder = await trainingFolder()
  const run = new RunFolder(join(folder.path, "run"))
  await run.prepare()
  for (let step = 1; step <= 5; step++) await run.save({ ...state, step }, [], async () => {}, noTensors, 2)
  expect(await readdir(run.checkpoints)).toEqual(["step-00000004", "step-00000005"])
})

test("the final model can be the mean of the last checkpoints", async () => {
  await using folder = await trainingFolder()
  const recipe = folder.recipe({
    schedule: { steps: 4 },
    checkpoints: { every: 1, average: 3 },
    validate: { every: 0 },
  })
  await train(recipe, { folder: folder.path })
  const norm = async (path: string) => {
    const bytes = await readFile(join(folder.path, "run", path, "model.safetensors"))
    const header = Number(bytes.readBigUInt64LE(0))
    const { "model.norm.weight": entry } = JSON.parse(bytes.toString("utf8", 8, 8 + header)) as Record<
      string,
      { data_offsets: [number, number] }
    >
    const start = 8 + header + entry.data_offsets[0]
    return Array.from({ length: 16 }, (_, i) => bytes.readFloatLE(start + 4 * i))
  }
  const last = await Promise.all([2, 3, 4].map((step) => norm(`checkpoints/step-0000000${step}`)))
  const mean = last[0].map((_, i) => Math.fround((last[0][i] + last[1][i] + last[2][i]) / 3))
  expect(await norm("model")).toEqual(mean)
  expect(mean).not.toEqual(last[2])
})
