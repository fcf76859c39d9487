// Pulls of one model by separate processes of the built package: at the same time, and after one was killed.
import { spawn } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import {
  commit,
  type FakeHub,
  noise,
  sha256,
  startHub,
  temporaryFolder,
} from "../src/hub/hub-server-fixture.js"
import { findParts } from "../src/hub/part-file.js"

const weights = noise(500_000)
const script = `
  import { pullModel } from "cria/hub"
  const [endpoint, cacheFolder] = process.argv.slice(1)
  const { path } = await pullModel("owner/name", { endpoint, cacheFolder, token: false, retryDelay: 1 })
  console.log(path)`
let hub: FakeHub
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeEach(async () => {
  hub = await startHub({ "config.json": "{}", "model.safetensors": weights })
  folder = await temporaryFolder()
})
afterEach(async () => {
  await hub.close()
  await folder.remove()
})

function startPull() {
  const cwd = join(dirname(fileURLToPath(import.meta.url)), "..")
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, hub.url, folder.path], { cwd })
  let output = ""
  child.stdout.on("data", (text) => (output += String(text)))
  child.stderr.on("data", (text) => (output += String(text)))
  const ended = new Promise<string>((done) => child.once("close", () => done(output.trim())))
  return { child, ended }
}

const root = () => join(folder.path, "models--owner--name")
const downloads = () => hub.log.filter((entry) => entry.server === "storage")

test("two processes bring the weights once", async () => {
  hub.onStorage = ({ serve }) => (setTimeout(serve, 1000), true)
  const paths = await Promise.all([startPull().ended, startPull().ended])
  expect(paths).toEqual([join(root(), "snapshots", commit), join(root(), "snapshots", commit)])
  expect(downloads()).toHaveLength(1)
  expect(sha256(await readFile(join(paths[0], "model.safetensors")))).toBe(sha256(weights))
})

test("what a killed process left is resumed by the next", async () => {
  hub.onStorage = ({ response, bytes, attempt }) => {
    if (attempt > 1) return false
    response.writeHead(200, { "content-length": bytes.length })
    return response.write(bytes.subarray(0, 300_000)), true
  }
  const { child, ended } = startPull()
  const partial = async () => (await findParts(join(root(), "blobs"))).some((part) => part.size === 300_000)
  await vi.waitFor(async () => expect(await partial()).toBe(true), { timeout: 30_000 })
  // the small file comes beside the large one, before or after its first bytes
  const whole = () => readdir(join(root(), "snapshots", commit))
  await vi.waitFor(async () => expect(await whole()).toEqual(["config.json"]), { timeout: 30_000 })
  child.kill("SIGKILL")
  await ended
  expect(await whole()).toEqual(["config.json"])
  const path = await startPull().ended
  expect(downloads().map((entry) => entry.range)).toEqual([undefined, "bytes=300000-"])
  expect(sha256(await readFile(join(path, "model.safetensors")))).toBe(sha256(weights))
  expect((await readdir(join(root(), "blobs"))).filter((name) => name.includes("incomplete"))).toEqual([])
})
