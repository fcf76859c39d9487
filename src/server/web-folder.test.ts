import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type WebFolder, webFolder } from "./web-folder.js"

let folder: string
let answer: WebFolder
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-web-"))
  await mkdir(join(folder, "web/assets"), { recursive: true })
  await writeFile(join(folder, "secret.txt"), "secret")
  await writeFile(join(folder, "web/index.html"), "<!doctype html><title>page</title>")
  await writeFile(join(folder, "web/assets/app-abc.js"), "export {}")
  answer = await webFolder(join(folder, "web"))
})
afterAll(() => rm(folder, { recursive: true }))

const ask = (path: string, init?: RequestInit) => answer(new Request(`http://localhost${path}`, init), path)

test("the page and its files, with their types", async () => {
  const page = ask("/")!
  expect(await page.text()).toContain("<title>page</title>")
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
  expect(page.headers.get("cache-control")).toBe("no-cache")
  const script = ask("/assets/app-abc.js")!
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8")
  expect(script.headers.get("cache-control")).toContain("immutable")
  expect(await ask("/", { method: "HEAD" })!.text()).toBe("")
})

test("every file isolates the page and forbids what it does not need", () => {
  for (const path of ["/", "/assets/app-abc.js"]) {
    const { headers } = ask(path)!
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin")
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(headers.get("content-security-policy")).not.toContain("unsafe-inline")
  }
})

test("who has a file is not sent it again", () => {
  const etag = ask("/")!.headers.get("etag")!
  expect(ask("/", { headers: { "if-none-match": etag } })!.status).toBe(304)
  expect(ask("/", { headers: { "if-none-match": '"other"' } })!.status).toBe(200)
})

test.each([
  "/../secret.txt",
  "/..%2fsecret.txt",
  "/assets/../../secret.txt",
  "//etc/passwd",
  "/assets",
  "/index.html/",
  "/\0",
  "/__proto__",
])("nothing is at %j", (path) => {
  expect(answer(new Request("http://localhost/"), path)).toBeUndefined()
})

test("other methods are not for files", () => {
  expect(ask("/", { method: "POST" })).toBeUndefined()
})
