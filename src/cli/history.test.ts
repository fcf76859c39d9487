import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { History, historyPath } from "./history.js"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-history-"))
})
afterEach(() => rm(folder, { recursive: true }))

test("messages of several lines come back newest first, repeats once, in a file that only its owner reads", async () => {
  const path = historyPath({ XDG_STATE_HOME: folder })
  const history = await History.open(path)
  await history.add("first")
  await history.add("two\nlines")
  await history.add("two\nlines")
  await history.add("")
  expect((await History.open(path)).newestFirst()).toEqual(["two\nlines", "first"])
  if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test("it is bounded: 1000 entries, none longer than 16384 letters, a file that is cut when it has doubled", async () => {
  const path = join(folder, "history")
  await writeFile(path, Array.from({ length: 2500 }, (_, i) => `${JSON.stringify(`m${i}`)}\n`).join(""))
  const history = await History.open(path)
  expect(history.newestFirst().length).toBe(1000)
  expect(history.newestFirst()[0]).toBe("m2499")
  expect((await readFile(path, "utf8")).trim().split("\n").length).toBe(1000)
  await history.add("x".repeat(20_000))
  expect(history.newestFirst()[0]).toBe("m2499")
})

test("damaged lines are passed over, and a disk that refuses is no error", async () => {
  const path = join(folder, "history")
  await writeFile(path, '"good"\n{"no":1}\nnot json\n')
  expect((await History.open(path)).newestFirst()).toEqual(["good"])
  await mkdir(join(folder, "taken"))
  const history = await History.open(join(folder, "taken"))
  await history.add("kept in memory")
  expect(history.newestFirst()).toEqual(["kept in memory"])
})
