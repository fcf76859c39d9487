import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { chatText } from "../chat/index.js"
import { Tokenizer } from "../tokenizer/index.js"
import { dataFiles } from "./read-examples.js"
import { groupOf, vocabularyFromFiles, writeTokenizerFiles } from "./vocabulary.js"

test("files to a tokenizer folder, with groups by the names of the files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-vocabulary-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  const documents = (text: string) =>
    Array.from({ length: 200 }, (_, i) => `${text} ${i}`).join("\n<|doc|>\n")
  await writeFile(join(folder, "en.one.txt"), documents("The cat sat on the mat."))
  await writeFile(join(folder, "en.two.jsonl"), '{"text":"A dog came along."}\n')
  await writeFile(join(folder, "de.one.txt"), documents("Die Katze saß auf der Matte."))
  const phases = new Set<string>()
  const { tokenizer, groups } = await vocabularyFromFiles(await dataFiles([folder]), {
    size: 320,
    balance: 0,
    onProgress: (phase) => phases.add(phase),
  })
  expect(groups.map(({ name }) => name)).toEqual(["de", "en"])
  for (const { share, charactersPerToken, bytesPerToken } of groups) {
    expect(share).toBe(0.5)
    expect(charactersPerToken).toBeGreaterThan(1.5)
    expect(bytesPerToken).toBeGreaterThanOrEqual(charactersPerToken!)
  }
  expect(phases).toContain("reading")

  const out = join(folder, "tokenizer")
  await writeTokenizerFiles(out, tokenizer)
  const text = await readFile(join(out, "tokenizer.json"), "utf8")
  const read = Tokenizer.fromTokenizerJson(text)
  expect(read.encode("The cat saß")).toEqual(tokenizer.encode("The cat saß"))
  const template = await readFile(join(out, "chat_template.jinja"), "utf8")
  const messages = [{ role: "user", content: "Hi" }] as const
  expect(chatText(messages, read, { template, date: "1 Jan 2026" })).toBe(
    chatText(messages, read, { date: "1 Jan 2026" }),
  )
})

test("the group of a file is its name up to the first dot", () => {
  expect(groupOf("/a/b.c/de.stories.txt.gz")).toBe("de")
  expect(groupOf("plain")).toBe("plain")
})
