import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { watchRun } from "#cria/cli/watch"

test("the chart is served with whole lines of a log that grows, and nothing else is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-watch-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  const log = join(folder, "metrics.jsonl")
  const watch = await watchRun(log, "a <run>")
  onTestFinished(() => watch.close())
  const get = async (path: string) => (await fetch(watch.url + path)).text()
  expect(await get("/")).toContain("<title>a run</title>")
  expect(await get("/metrics?from=0")).toBe('{"lines":"","next":0}')
  await writeFile(log, '{"step":1}\n{"st')
  expect(JSON.parse(await get("/metrics?from=0"))).toEqual({ lines: '{"step":1}\n', next: 11 })
  await appendFile(log, 'ep":2}\n')
  expect(JSON.parse(await get("/metrics?from=11"))).toEqual({ lines: '{"step":2}\n', next: 22 })
  expect(JSON.parse(await get("/metrics?from=999"))).toMatchObject({ next: 22 })
  expect(JSON.parse(await get("/metrics?from=-5"))).toMatchObject({ next: 22 })
  expect((await fetch(`${watch.url}/../package.json`)).status).toBe(404)
  expect((await fetch(watch.url, { method: "POST" })).status).toBe(405)
})
