// Finding, listing and removing models that are on this disk, in caches made for the test.
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { HubError, InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import { closestNames, findModel, listModels, suggestModels } from "./find.js"
import { modelFolders } from "./folders.js"
import { temporaryFolder } from "./hub-server-fixture.js"
import { claimPart } from "./part-file.js"
import { removeModel } from "./remove.js"

const first = "1".repeat(40)
const second = "2".repeat(40)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let folders: { huggingface: string[]; ollama: string[]; lmstudio: string[] }

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

/** Puts a file into the Hugging Face cache; the blob's name is made of its content, as in a real one. */
async function cache(repository: string, commit: string, path: string, content: string): Promise<void> {
  const root = join(folders.huggingface[0], `models--${repository.replace("/", "--")}`)
  const blob = Buffer.from(content).toString("hex").padEnd(40, "0").slice(0, 40)
  await put(join(root, "blobs", blob), content)
  const link = join(root, "snapshots", commit, path)
  await mkdir(dirname(link), { recursive: true })
  await symlink(`${"../".repeat(path.split("/").length + 1)}blobs/${blob}`, link)
}
const ref = (repository: string, name: string, commit: string) =>
  put(join(folders.huggingface[0], `models--${repository.replace("/", "--")}`, "refs", name), commit)

async function ollama(place: string, content: string, size = content.length): Promise<string> {
  const hex = Buffer.from(place).toString("hex").padEnd(64, "0").slice(-64)
  const layers = [
    { mediaType: "application/vnd.ollama.image.template", digest: `sha256:${"0".repeat(64)}`, size: 1 },
    { mediaType: "application/vnd.ollama.image.model", digest: `sha256:${hex}`, size },
  ]
  await put(join(folders.ollama[0], "manifests", place), JSON.stringify({ schemaVersion: 2, layers }))
  const blob = join(folders.ollama[0], "blobs", `sha256-${hex}`)
  await put(blob, content)
  return blob
}

beforeEach(async () => {
  folder = await temporaryFolder()
  const at = (name: string) => [join(folder.path, name)]
  folders = { huggingface: at("hf"), ollama: at("ollama"), lmstudio: at("lmstudio") }
  await cache("meta/base", first, "config.json", "{}")
  await cache("meta/base", first, "model.safetensors", "weights one")
  await ref("meta/base", "main", first)
})
afterEach(() => folder.remove())

test("lists what the three programs keep, with ids that find them again", async () => {
  await cache("quant/model-GGUF", first, "m-Q4_0.gguf", "four")
  await cache("quant/model-GGUF", first, "m-Q8_0.gguf", "eight!")
  await ref("quant/model-GGUF", "v2", first)
  await cache("karpathy/tinyllamas", first, "stories260K/stories260K.bin", "bin")
  await ref("karpathy/tinyllamas", "main", first)
  const blob = await ollama("registry.ollama.ai/library/llama3.2/1b", "GGUF....")
  await ollama("hf.co/unsloth/x/Q4_0", "GGUF")
  await put(join(folders.lmstudio[0], "pub/name/n-Q4_K_M.gguf"), "lm")
  const { models, skipped } = await listModels({ folders })
  expect(skipped).toEqual([])
  expect(models.map(({ id, source, bytes }) => [id, source, bytes])).toEqual([
    ["karpathy/tinyllamas:stories260K/stories260K.bin", "huggingface", 3],
    ["lmstudio:pub/name/n-Q4_K_M.gguf", "lmstudio", 2],
    ["meta/base", "huggingface", 13],
    ["ollama:hf.co/unsloth/x:Q4_0", "ollama", 4],
    ["ollama:llama3.2:1b", "ollama", 8],
    ["quant/model-GGUF@v2:Q4_0", "huggingface", 4],
    ["quant/model-GGUF@v2:Q8_0", "huggingface", 6],
  ])
  for (const { id, path } of models) expect(await findModel(id, { folders }), id).toBe(path)
  expect(await findModel("llama3.2:1b", { folders })).toBe(blob)
  expect(Math.abs(Date.now() - models[2].modified.getTime())).toBeLessThan(60_000)
})

test("skips what is broken and says why", async () => {
  const hf = folders.huggingface[0]
  await cache("half/sharded", first, "config.json", "{}")
  await cache("half/sharded", first, "model-00001-of-00002.safetensors", "one")
  await cache("no/config", first, "model.safetensors", "x")
  await cache("no/weights", first, "config.json", "{ }")
  await cache("gone/blob", first, "config.json", "{  }")
  await symlink("../../blobs/nothing", join(hf, "models--gone--blob/snapshots", first, "model.safetensors"))
  await cache("evil/link", first, "config.json", "{   }")
  await put(join(folder.path, "outside"), "secret")
  await symlink(
    join(folder.path, "outside"),
    join(hf, "models--evil--link/snapshots", first, "model.safetensors"),
  )
  await put(join(hf, "models--file--only"), "not a folder")
  await ollama("registry.ollama.ai/library/short/1b", "GGUF", 99)
  await ollama("registry.ollama.ai/library/text/1b", "not a model")
  await put(join(folders.ollama[0], "manifests/registry.ollama.ai/library/bad/1b"), "{")
  const digest = "sha256:../../../../../../outside"
  const layers = [{ mediaType: "application/vnd.ollama.image.model", digest, size: 6 }]
  await put(
    join(folders.ollama[0], "manifests/registry.ollama.ai/library/evil/1b"),
    JSON.stringify({ layers }),
  )
  await put(join(folders.lmstudio[0], "pub/name/m-00001-of-00003.gguf"), "x")
  const { models, skipped } = await listModels({ folders })
  expect(models.map((model) => model.id)).toEqual(["meta/base"])
  const reasons = skipped.map(({ path, reason }) => `${path.slice(folder.path.length)} ${reason}`).join("\n")
  for (const part of [
    /half--sharded.* 1 of its weight files are missing/,
    /no--config.* config\.json is missing/,
    /no--weights.* no weights/,
    /gone--blob.*model\.safetensors the link leads nowhere/,
    /evil--link.*model\.safetensors the link leads out of the folder/,
    /short\/1b its model file has 4 bytes instead of 99/,
    /text\/1b its model file is not a GGUF/,
    /bad\/1b the manifest is not JSON/,
    /library\/evil\/1b the manifest is not of the form/,
    /m-00001-of-00003\.gguf 2 pieces are missing/,
  ])
    expect(reasons).toMatch(part)
})

test("finds paths first, then ids; what is partly there is not found", async () => {
  expect(await findModel(folder.path, { folders })).toBe(folder.path)
  expect(await findModel("meta/base", { folders })).toBe(
    join(folders.huggingface[0], "models--meta--base/snapshots", first),
  )
  expect(await findModel("meta/base@v9", { folders })).toBeUndefined()
  expect(await findModel(`meta/base@${first}`, { folders })).toBeDefined()
  expect(await findModel("meta/base:Q4_0", { folders })).toBeUndefined()
  await cache("half/model", first, "config.json", "{}")
  await ref("half/model", "main", first)
  for (const source of ["half/model", "nobody/nothing", "", "a\0b", "../../..//nothing", "x".repeat(5000)])
    expect(await findModel(source, { folders })).toBeUndefined()
  await cache("two/quants", first, "a-Q4_0.gguf", "a")
  await cache("two/quants", first, "a-Q8_0.gguf", "b")
  await expect(findModel("two/quants", { folders })).rejects.toThrow(/2 GGUF models/)
})

test("suggests what was probably meant", async () => {
  const names = [
    "meta-llama/Llama-3.2-1B-Instruct",
    "meta-llama/Llama-3.2-3B-Instruct",
    "ollama:llama3.2:1b",
    "x/y",
  ]
  expect(closestNames("meta-llama/Llama-3.2-1B-Instrcut", names)[0]).toBe(names[0])
  expect(closestNames("llama3.2", names)).toContain("ollama:llama3.2:1b")
  expect(closestNames("llama-3.2-3b-instruct", names)[0]).toBe(names[1])
  expect(closestNames("something else", names)).toEqual([])
  expect(await suggestModels("meta/bsae", { folders })).toEqual(["meta/base"])
  const many = Array.from({ length: 5000 }, (_, index) => "ab".repeat(2000) + index)
  const started = performance.now()
  closestNames("ba".repeat(5000), many)
  expect(performance.now() - started).toBeLessThan(3000)
})

test("removes a revision without what another one uses, then the rest", async () => {
  await cache("meta/base", second, "config.json", "{}")
  await cache("meta/base", second, "model.safetensors", "weights two!")
  await ref("meta/base", "refs/pr/1", second)
  const root = join(folders.huggingface[0], "models--meta--base")
  await put(join(root, "blobs", `${"a".repeat(64)}.cria.incomplete`), "left over")
  expect(await readdir(join(root, "blobs"))).toHaveLength(4)
  const removed = await removeModel("meta/base@refs/pr/1", { folders })
  expect(removed).toMatchObject({ id: "meta/base@refs/pr/1", bytes: "weights two!left over".length })
  expect(removed.files.toSorted()).toEqual(["config.json", "model.safetensors"])
  expect(await readdir(join(root, "refs"))).toEqual(["main"])
  expect((await listModels({ folders })).models.map((model) => model.id)).toEqual(["meta/base"])
  await expect(removeModel("meta/base@v9", { folders })).rejects.toThrow(/there is main/)
  expect(await removeModel("meta/base", { folders })).toMatchObject({ bytes: 13 })
  await expect(stat(root)).rejects.toThrow("ENOENT")
})

test("removes one quantization and leaves its neighbours", async () => {
  await cache("two/quants", first, "a-Q4_0.gguf", "four")
  await cache("two/quants", first, "a-Q8_0.gguf", "eight!")
  await ref("two/quants", "main", first)
  expect(await removeModel("two/quants:Q4_0", { folders })).toEqual({
    id: "two/quants:Q4_0",
    bytes: 4,
    files: ["a-Q4_0.gguf"],
  })
  expect(await findModel("two/quants:Q8_0", { folders })).toBeDefined()
  await expect(removeModel("two/quants:Q4_0", { folders })).rejects.toThrow(ModelNotFoundError)
})

test("does not remove what others own, what is being pulled, or what is not there", async () => {
  await ollama("registry.ollama.ai/library/llama3.2/1b", "GGUF")
  await put(join(folders.lmstudio[0], "pub/name/x.gguf"), "x")
  await expect(removeModel("ollama:llama3.2:1b", { folders })).rejects.toThrow(/"ollama rm llama3\.2:1b"/)
  await expect(removeModel("llama3.2:1b", { folders })).rejects.toThrow(InvalidOptionError)
  await expect(removeModel("lmstudio:pub/name/x.gguf", { folders })).rejects.toThrow(/belongs to LM Studio/)
  await expect(removeModel("meta/bsae", { folders })).rejects.toThrow(/did you mean meta\/base\?/)
  await expect(removeModel("../../etc", { folders })).rejects.toThrow(ModelNotFoundError)
  const blobs = join(folders.huggingface[0], "models--meta--base/blobs")
  const part = await claimPart(
    blobs,
    "a".repeat(64),
    () => Promise.resolve(false),
    () => {},
    undefined,
  )
  await expect(removeModel("meta/base", { folders })).rejects.toThrow(HubError)
  await part!.discard()
  await removeModel("meta/base", { folders })
})

test("the folders are those of the environment", () => {
  const {
    huggingface,
    ollama: own,
    lmstudio,
  } = modelFolders({ HOME: "/h", HF_HOME: "~/hf", OLLAMA_MODELS: "/o" })
  expect([huggingface, own]).toEqual([["/h/hf/hub"], ["/o"]])
  expect(lmstudio).toEqual(["/h/.lmstudio/models", "/h/.cache/lm-studio/models"])
  expect(modelFolders({ HOME: "/h", XDG_CACHE_HOME: "/c" }).huggingface).toEqual(["/c/huggingface/hub"])
  expect(modelFolders({ HOME: "/h", HF_HUB_CACHE: "/x", HF_HOME: "/y" }).huggingface).toEqual(["/x"])
})
