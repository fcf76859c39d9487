// cria pull against a hub on the loopback: what is said, resuming after Ctrl-C, advice for gated models.
import type { ChildProcess } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { commit, type FakeHub, noise, startHub, temporaryFolder } from "../../src/hub/hub-server-fixture.js"
import { cria } from "./run.js"

const weights = noise(600_000)
let hub: FakeHub
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>

beforeEach(async () => {
  hub = await startHub({ "config.json": "{}", "model.safetensors": weights })
  folder = await temporaryFolder()
  env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: folder.path }
})
afterEach(async () => {
  await hub.close()
  await folder.remove()
})

test("the path goes to standard output, the summary to standard error", async () => {
  const { code, out, err } = await cria(["pull", "owner/name"], { env })
  const path = join(folder.path, "models--owner--name/snapshots", commit)
  expect({ code, out }).toEqual({ code: 0, out: `${path}\n` })
  expect(err).toMatch(/^✓ owner\/name: 2 files, 600 kB in \d+\.\d s, all verified\n$/)
  expect(await readFile(join(path, "model.safetensors"))).toEqual(weights)
  const again = await cria(["pull", "owner/name", "--json"], { env })
  expect(JSON.parse(again.out)).toMatchObject({ path, received: 0 })
})

test("Ctrl-C keeps what came, and the next pull goes on there", async () => {
  let child: ChildProcess | undefined
  hub.onStorage = ({ attempt, response, bytes }) => {
    if (attempt > 1) return false
    // Half of it, then silence: the line stays open.
    response.writeHead(200, { "content-length": bytes.length })
    response.write(bytes.subarray(0, 300_000), () => setTimeout(() => child!.kill("SIGINT"), 300))
    return true
  }
  const stopped = await cria(["pull", "owner/name"], { env, onStart: (started) => (child = started) })
  expect({ code: stopped.code, out: stopped.out, err: stopped.err }).toEqual({ code: 130, out: "", err: "" })
  const { code, out } = await cria(["pull", "owner/name", "--json"], { env })
  expect(code).toBe(0)
  const { received, path } = JSON.parse(out)
  expect(received).toBeLessThan(weights.length)
  expect(await readFile(join(path, "model.safetensors"))).toEqual(weights)
})

test("a gated model says where to get in and how to show the token", async () => {
  hub.onHub = (_, response) => {
    response.writeHead(401, { "x-error-code": "GatedRepo" }).end("{}")
    return true
  }
  const { code, out, err } = await cria(["pull", "owner/name", "--no-token"], { env })
  expect({ code, out }).toEqual({ code: 1, out: "" })
  expect(err).toMatch(/^error: .*token/)
  expect(err.trim().split("\n").length).toBeLessThanOrEqual(2)
})

test("the token of the option goes to the hub and to nobody else", async () => {
  await cria(["pull", "owner/name", "--token", "hf_secret"], { env })
  const shown = hub.log.filter(({ authorization }) => authorization === "Bearer hf_secret")
  expect(shown.length).toBeGreaterThan(0)
  expect(shown.every(({ server }) => server === "hub")).toBe(true)
})
