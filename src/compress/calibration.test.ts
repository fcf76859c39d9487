import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { dataFiles } from "../data/index.js"
import { VocabularyTrainer } from "../tokenizer/index.js"
import { calibrationTexts } from "./calibration.js"

test("texts come from every file in turn, within bounds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-calibration-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  const trainer = new VocabularyTrainer({ size: 300 })
  trainer.add("many words make a long text ".repeat(50))
  const tokenizer = await trainer.train()
  await writeFile(join(folder, "a.txt"), "aaaa bbbb cccc\n<|doc|>\n".repeat(100))
  await writeFile(join(folder, "b.txt"), "only one, but a long one. ".repeat(100))
  await writeFile(join(folder, "c.txt"), "\n")
  const files = await dataFiles([folder])
  const texts = await calibrationTexts(files, tokenizer, { tokens: 100, length: 20 })
  for (const ids of texts) {
    expect(ids.length).toBeLessThanOrEqual(20)
    expect(ids[0]).toBe(tokenizer.bos)
  }
  const total = texts.reduce((sum, ids) => sum + ids.length, 0)
  expect(total).toBeGreaterThanOrEqual(100)
  expect(total).toBeLessThan(120)
  const starts = texts.map((ids) => tokenizer.decode(ids).slice(0, 4))
  expect(starts.slice(0, 3)).toEqual(["aaaa", "only", "aaaa"])
  await expect(calibrationTexts(files.slice(2), tokenizer, { tokens: 100, length: 20 })).rejects.toThrow(
    "no text",
  )
})
