// A pull against a hub on the loopback, as it should go.
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { HubError, InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import { placeInSnapshot, cachedRepository, hasFile } from "./cache.js"
import {
  commit,
  type FakeHub,
  gitHash,
  noise,
  sha256,
  startHub,
  temporaryFolder,
} from "./hub-server-fixture.js"
import { findModel, listModels } from "./find.js"
import type { PullProgress } from "./progress.js"
import { pullModel, type PullOptions } from "./pull.js"

const weights = noise(300_000)
const model = {
  "config.json": `{"model_type":"llama"}`,
  "generation_config.json": `{"top_p":0.9}`,
  "tokenizer.json": "{}",
  "model.safetensors": weights,
  "LICENSE.txt": "a licence",
  "README.md": "read me",
  "flax_model.msgpack": "no",
  "original/consolidated.00.pth": noise(1000, 5),
  "original/params.json": "{}",
}
let hub: FakeHub
let folder: Awaited<ReturnType<typeof temporaryFolder>>
const options = (more: PullOptions = {}): PullOptions => ({
  endpoint: hub.url,
  cacheFolder: folder.path,
  environment: { HOME: join(folder.path, "home") },
  retryDelay: 1,
  ...more,
})
const blobs = () => join(folder.path, "models--owner--name", "blobs")

beforeEach(async () => {
  hub = await startHub(model)
  folder = await temporaryFolder()
})
afterEach(async () => {
  await hub.close()
  await folder.remove()
})

test("takes what a model needs, into the layout that the Hugging Face tools share", async () => {
  const pulled = await pullModel("owner/name", options())
  const root = join(folder.path, "models--owner--name")
  expect(pulled.path).toBe(join(root, "snapshots", commit))
  expect((await readdir(pulled.path)).toSorted()).toEqual([
    "LICENSE.txt",
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
  ])
  expect(await readlink(join(pulled.path, "model.safetensors"))).toBe(`../../blobs/${sha256(weights)}`)
  expect(await readlink(join(pulled.path, "config.json"))).toBe(
    `../../blobs/${gitHash(Buffer.from(model["config.json"]))}`,
  )
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
  expect(await readFile(join(root, "refs", "main"), "utf8")).toBe(commit)
  expect((await readdir(blobs())).filter((name) => name.includes("incomplete"))).toEqual([])
  expect(pulled).toMatchObject({ commit, revision: "main", format: "safetensors", repository: "owner/name" })
  expect(pulled.received).toBe(pulled.bytes)
})

test("the token goes to the hub and to no other host", async () => {
  await pullModel("owner/name", options({ token: "hf_secret" }))
  const seen = (server: string) =>
    hub.log.filter((entry) => entry.server === server).map((e) => e.authorization)
  expect(new Set(seen("hub"))).toEqual(new Set(["Bearer hf_secret"]))
  expect(seen("storage")).toEqual([undefined])
})

test("the token comes from HF_TOKEN or the login's file, and `false` sends none", async () => {
  const home = join(folder.path, "home")
  await mkdir(join(home, ".cache", "huggingface"), { recursive: true })
  await writeFile(join(home, ".cache", "huggingface", "token"), "hf_file\n")
  const tokenOf = async (more: PullOptions) => {
    hub.log.length = 0
    await pullModel("owner/name", options(more))
    return hub.log[0].authorization
  }
  expect(await tokenOf({})).toBe("Bearer hf_file")
  expect(await tokenOf({ environment: { HOME: home, HF_TOKEN: "hf_env" } })).toBe("Bearer hf_env")
  expect(await tokenOf({ token: false })).toBeUndefined()
  await expect(pullModel("owner/name", options({ token: "two\nlines" }))).rejects.toThrow(InvalidOptionError)
})

test("the environment names the hub and the cache", async () => {
  const { cacheFolder: _, endpoint: __, ...rest } = options()
  const environment = {
    HF_ENDPOINT: hub.url,
    HF_HOME: join(folder.path, "hf"),
    HF_HUB_DISABLE_IMPLICIT_TOKEN: "1",
  }
  const pulled = await pullModel("owner/name", { ...rest, environment })
  expect(pulled.path).toBe(join(folder.path, "hf", "hub", "models--owner--name", "snapshots", commit))
})

test("a second pull asks only for the listing", async () => {
  await pullModel("owner/name", options())
  hub.log.length = 0
  const states: string[] = []
  const again = await pullModel(
    "owner/name",
    options({ onProgress: (progress) => states.push(progress.state) }),
  )
  expect(hub.log.map((entry) => entry.path.split("/")[5])).toEqual(["revision", "tree"])
  expect(again.files.every((file) => file.cached)).toBe(true)
  expect(again.received).toBe(0)
  expect(new Set(states)).toEqual(new Set(["cached"]))
})

test("offline uses the disk only, and says so when it is not enough", async () => {
  await expect(pullModel("owner/name", options({ offline: true }))).rejects.toThrow(ModelNotFoundError)
  await pullModel("owner/name", options())
  hub.log.length = 0
  const pulled = await pullModel("owner/name", options({ offline: true }))
  expect(pulled.path).toBe(join(folder.path, "models--owner--name", "snapshots", commit))
  expect(hub.log).toEqual([])
})

test("a listing of many pages is followed by its cursor, on the endpoint only", async () => {
  hub.pageSize = 2
  const pulled = await pullModel("owner/name", options())
  expect(pulled.files).toHaveLength(6)
  expect(hub.log.filter((entry) => entry.path.includes("/tree/"))).toHaveLength(5)
})

test("revision: a tag, a pull reference, a commit; only names get a ref", async () => {
  await pullModel("owner/name@v1", options())
  await pullModel("owner/name", options({ revision: "refs/pr/1" }))
  await pullModel(`owner/name@${commit}`, options())
  const refs = await readdir(join(folder.path, "models--owner--name", "refs"), { recursive: true })
  expect(refs.toSorted()).toEqual(["refs", "refs/pr", "refs/pr/1", "v1"])
})

test("a subfolder and include take other files", async () => {
  const original = await pullModel("owner/name:original", options())
  expect(original.path.endsWith(`${commit}/original`)).toBe(true)
  expect(await readlink(join(original.path, "params.json"))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\//)
  const some = await pullModel("owner/name", options({ include: ["tokenizer.json", "gen*"] }))
  expect(some.files.map((file) => file.path).toSorted()).toEqual(["generation_config.json", "tokenizer.json"])
  await expect(pullModel("owner/name", options({ include: ["nothing*"] }))).rejects.toThrow(
    ModelNotFoundError,
  )
})

test("one GGUF of several is named by its quantization, and the model can then be found and listed", async () => {
  hub.files.clear()
  for (const [index, quantization] of ["Q4_0", "Q4_K_M", "Q8_0"].entries())
    hub.files.set(`llama-${quantization}.gguf`, noise(2000 + index, index))
  await expect(pullModel("owner/name", options())).rejects.toThrow(
    /3 GGUF models.*Q4_0 \(2\.00 kB\), Q4_K_M \(2\.00 kB\), Q8_0/,
  )
  const pulled = await pullModel("owner/name:q8_0", options())
  expect(pulled.path.endsWith("llama-Q8_0.gguf")).toBe(true)
  const folders = { huggingface: [folder.path] }
  expect(await findModel("owner/name:Q8_0", { folders })).toBe(pulled.path)
  expect(await findModel("owner/name", { folders })).toBe(pulled.path)
  expect(await findModel("owner/name:Q4_0", { folders })).toBeUndefined()
  expect((await listModels({ folders })).models).toMatchObject([{ id: "owner/name:Q8_0", bytes: 2002 }])
})

test("progress grows to the total of every file and of all", async () => {
  hub.onStorage = ({ serve, attempt }) => (serve(attempt === 1 ? 100_000 : undefined), true)
  const seen: PullProgress[] = []
  const pulled = await pullModel("owner/name", options({ onProgress: (progress) => seen.push(progress) }))
  const last = seen.at(-1)!
  expect(last.overallLoaded).toBe(pulled.bytes)
  expect(last.overallTotal).toBe(pulled.bytes)
  const ofWeights = seen.filter((progress) => progress.file === "model.safetensors")
  expect(ofWeights.map((progress) => progress.state)).toEqual(
    expect.arrayContaining(["downloading", "retrying", "verified"]),
  )
  expect(ofWeights.at(-1)).toMatchObject({ state: "verified", loaded: 300_000, total: 300_000 })
  expect(seen.every((progress) => progress.loaded <= progress.total && progress.bytesPerSecond >= 0)).toBe(
    true,
  )
})

test("an error of the caller's progress function ends the pull as it is", async () => {
  const failure = new Error("progress bar broke")
  const onProgress = () => {
    throw failure
  }
  await expect(pullModel("owner/name", options({ onProgress }))).rejects.toBe(failure)
})

test("two pulls at once bring every byte once and both end well", async () => {
  hub.onStorage = ({ serve }) => (setTimeout(serve, 50), true)
  const [one, two] = await Promise.all([
    pullModel("owner/name", options()),
    pullModel("owner/name", options()),
  ])
  expect(one.path).toBe(two.path)
  expect(sha256(await readFile(join(one.path, "model.safetensors")))).toBe(sha256(weights))
  expect(hub.log.filter((entry) => entry.server === "storage")).toHaveLength(1)
  expect((await readdir(blobs())).filter((name) => name.includes("incomplete"))).toEqual([])
})

test("where symbolic links are not permitted the file itself stands in the snapshot", async () => {
  const cached = cachedRepository(folder.path, "owner/name")
  await mkdir(cached.blobs, { recursive: true })
  const name = sha256(weights)
  await writeFile(join(cached.blobs, name), weights)
  const refuse = () => Promise.reject(Object.assign(new Error("no links"), { code: "EPERM" }))
  await placeInSnapshot(cached, commit, "a/model.safetensors", name, refuse)
  expect((await lstat(join(cached.snapshots, commit, "a/model.safetensors"))).isFile()).toBe(true)
  expect(await readdir(cached.blobs)).toEqual([])
  const file = { path: "a/model.safetensors", size: weights.length, checksum: { hex: name } }
  expect(await hasFile(cached, commit, file)).toBe(true)
  await placeInSnapshot(cached, commit, "a/model.safetensors", name, refuse)
})

test("another fetch can take the place of the built-in transport", async () => {
  let calls = 0
  const counting: PullOptions["fetch"] = (url, init) => (calls++, fetch(url, init))
  const pulled = await pullModel("owner/name", options({ fetch: counting, token: "hf_secret" }))
  expect(sha256(await readFile(join(pulled.path, "model.safetensors")))).toBe(sha256(weights))
  expect(calls).toBe(hub.log.length)
  expect(hub.log.find((entry) => entry.server === "storage")!.authorization).toBeUndefined()
})

test("options out of range and a hub that is none are named", async () => {
  await expect(pullModel("owner/name", options({ concurrency: 0 }))).rejects.toThrow(
    /concurrency .* 1 to 16, got 0/,
  )
  await expect(pullModel("owner/name", options({ revision: "../x" }))).rejects.toThrow(InvalidOptionError)
  await expect(pullModel("owner/name", options({ endpoint: "ftp://x" }))).rejects.toThrow(/HF_ENDPOINT/)
  await expect(pullModel("owner/name", options({ endpoint: hub.storageUrl }))).rejects.toThrow(
    ModelNotFoundError,
  )
  hub.onHub = (_, response) => (response.end("<html>"), true)
  await expect(pullModel("owner/name", options())).rejects.toThrow(HubError)
})
