// cria train from outside: killed at any moment it goes on to the same losses; what is wrong is said in a line.
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { trainingFolder, type TrainingFolder } from "../../src/train/run-fixture.js"
import { cria } from "./run.js"

const recipeAt = async (
  folder: TrainingFolder,
  changes: { output?: string; [key: string]: unknown } = {},
) => {
  const path = join(folder.path, `${changes.output ?? "run"}.yaml`)
  await writeFile(path, JSON.stringify(folder.recipe({ backend: "auto", ...changes })))
  return path
}

/** The lines of the log without what depends on the clock. */
async function logOf(folder: TrainingFolder, run: string): Promise<object[]> {
  const text = await readFile(join(folder.path, run, "metrics.jsonl"), "utf8")
  return text
    .trim()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: undefined }))
}

describe("cria train", () => {
  test("killed again and again, it ends with the losses of a run that was not, bit for bit", async () => {
    await using folder = await trainingFolder()
    const schedule = { steps: 60, warmup: 5 }
    const checkpoints = { every: 7 }
    const whole = await cria(["train", await recipeAt(folder, { output: "whole", schedule, checkpoints })])
    expect(whole.err).toMatch(/✓ .*whole\/model: try {2}cria chat/)
    const path = await recipeAt(folder, { output: "killed", schedule, checkpoints })
    let kills = 0
    for (let attempt = 0; attempt < 30 && !existsSync(join(folder.path, "killed/model")); attempt++) {
      // later and later, so that the run gets on; the moments differ by the machine
      const { code } = await cria(["train", path, "--resume", "--json"], {
        onOutput: (child, out) => {
          if (out.split("\n").length > 5 + 3 * attempt) child.kill("SIGKILL")
        },
      })
      if (code === null) kills++
    }
    expect(kills).toBeGreaterThan(2)
    expect(await logOf(folder, "killed")).toEqual(await logOf(folder, "whole"))
    const weights = (run: string) => readFile(join(folder.path, run, "model/model.safetensors"))
    expect(await weights("killed")).toEqual(await weights("whole"))
  })

  test("Ctrl-C writes a checkpoint and says how to go on", async () => {
    await using folder = await trainingFolder()
    const path = await recipeAt(folder, { schedule: { steps: 100_000 }, checkpoints: { every: 0 } })
    let sent = false
    const { code, out, err } = await cria(["train", path, "--json"], {
      onOutput: (child, out) => {
        if (!sent && out.includes('"step":3,')) sent = child.kill("SIGINT")
      },
    })
    const { step } = JSON.parse(out.trim().split("\n").at(-1)!) as { step: number }
    expect(code).toBe(0)
    expect(err).toContain(`Stopped after step ${step}`)
    expect(err).toContain("--resume")
    expect(
      existsSync(
        join(folder.path, `run/checkpoints/step-${String(step).padStart(8, "0")}/model.safetensors`),
      ),
    ).toBe(true)
  })

  test("--check prints the whole recipe and trains nothing", async () => {
    await using folder = await trainingFolder()
    const { code, out } = await cria(["train", await recipeAt(folder), "--check", "--set", "seed=9"])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ method: "pretrain", seed: 9, optimizer: { beta2: 0.95 } })
    expect(existsSync(join(folder.path, "run"))).toBe(false)
  })

  test("mistakes are one line each", async () => {
    await using folder = await trainingFolder()
    const path = join(folder.path, "bad.yaml")
    await writeFile(
      path,
      "method: pretrain\noutput: run\nmodel: { from: nowhere }\ndata: { sources: [{ files: none.txt }] }\n",
    )
    const missing = await cria(["train", join(folder.path, "none.yaml")])
    const bad = await cria(["train", path, "--set", "optimizer.learningRate=fast"])
    const nowhere = await cria(["train", path])
    expect([missing, bad, nowhere].map(({ code }) => code)).toEqual([1, 1, 1])
    expect(missing.err).toContain("cannot be read")
    expect(bad.err).toContain("optimizer.learningRate: Invalid input: expected number")
    expect(nowhere.err).toContain("nowhere does not exist")
  })
})
