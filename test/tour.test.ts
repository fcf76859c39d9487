// The tour in its short form: every stage from raw text to a quantized model that answers.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, onTestFinished, test } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))

test("every stage runs, and the model answers as it was taught to", { timeout: 600_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-tour-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  const child = spawn(
    process.execPath,
    ["--import", "tsx", join(root, "scripts/tour.ts"), folder, "--small"],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    },
  )
  let said = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => (said += data.toString()))
  const code = await new Promise((resolve) => child.once("close", resolve))
  expect(code, said).toBe(0)
  for (const left of ["runs/sampled/sft.jsonl", "runs/adapter/model/adapter_config.json", "toy.gguf"])
    expect(existsSync(join(folder, left)), left).toBe(true)
})
