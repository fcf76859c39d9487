// The files beside a file on a server. A server has no listing: what a model could need is asked for by name.
import type { ByteSource, ModelFolder } from "../formats/index.js"
import { InvalidFileError, ModelNotFoundError } from "../errors/index.js"
import { urlExists, urlSize, urlSource } from "./url-source.js"

const companions = [
  "config.json",
  "params.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "chat_template.jinja",
]
const models = ["model.safetensors", "model.safetensors.index.json", "consolidated.00.pth"]
const maxIndexBytes = 2 ** 26
const llama2cTokenizers = ["tokenizer.bin", "tok512.bin", "tok4096.bin", "tok32000.bin"]

/** The folder of a model, and which file of it was named. */
export interface UrlModel {
  readonly folder: ModelFolder
  readonly name: string | undefined
}

/** A URL of a model file, or of a folder of safetensors with their companions. */
export function urlModel(url: string): UrlModel {
  const parsed = new URL(url)
  const last = parsed.pathname.slice(parsed.pathname.lastIndexOf("/") + 1)
  const isFile = parsed.protocol === "blob:" || /\.(gguf|safetensors|index\.json|pth|pt|bin)$/.test(last)
  if (!isFile && last !== "") parsed.pathname += "/"
  const name = isFile ? decodeURIComponent(last) : undefined
  const pathOf = (file: string) => (file === name ? url : new URL(encodeURIComponent(file), parsed).href)
  const found = new Map<string, Promise<boolean>>()
  const exists = (file: string) => {
    const known = found.get(file) ?? urlExists(pathOf(file))
    found.set(file, known)
    return known
  }
  const names = async () => {
    const wanted = candidates(name)
    const there = await Promise.all(wanted.map((file) => exists(file)))
    return new Set([...(name === undefined ? [] : siblings(name)), ...wanted.filter((_, i) => there[i])])
  }
  const open = (file: string): Promise<ByteSource> => urlSource(pathOf(file))
  return { folder: { path: parsed.href, names, pathOf, open }, name }
}

/** All files of the model at a URL, for fetching them; the name of the model is its file's or folder's. */
export async function filesOfModel(
  url: string,
): Promise<{ name: string; files: { name: string; url: string; size: number | undefined }[] }> {
  const { folder, name } = urlModel(url)
  const names = new Set(await folder.names())
  const index = name?.endsWith(".index.json") ? name : "model.safetensors.index.json"
  if (names.has(index) && !names.has("model.safetensors"))
    for (const shard of await shardsOf(folder, index)) names.add(shard)
  if (name === undefined && !models.some((model) => names.has(model)))
    throw new ModelNotFoundError(
      `no model at ${url}: looked for ${models.join(", ")}; a GGUF file is named itself`,
    )
  const files = [...names].map(async (file) => {
    const address = folder.pathOf(file)
    return { name: file, url: address, size: await urlSize(address) }
  })
  const last = new URL(url).pathname.split("/").filter(Boolean).at(-1)
  return { name: name ?? decodeURIComponent(last ?? "model"), files: await Promise.all(files) }
}

async function shardsOf(folder: ModelFolder, index: string): Promise<string[]> {
  const source = await folder.open(index)
  try {
    if (source.size > maxIndexBytes) throw new InvalidFileError(`${source.name} is too large for an index`)
    const bytes = new Uint8Array(source.size)
    await source.read(0, bytes)
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(bytes)) as { weight_map?: unknown }
    const shards = [...new Set(Object.values(map ?? {}))]
    if (shards.every((shard) => typeof shard === "string" && /^[^/\\]+\.safetensors$/.test(shard)))
      return shards as string[]
    throw new InvalidFileError(`${source.name} names files that no index should`)
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new InvalidFileError(`${source.name} is no JSON`, { cause: error })
    throw error
  } finally {
    await source.close()
  }
}

/** What may lie beside a file of this name, or in a folder. */
function candidates(name: string | undefined): readonly string[] {
  if (name === undefined) return [...companions, ...models]
  if (name.endsWith(".gguf")) return []
  return name.endsWith(".bin") ? llama2cTokenizers : companions
}

/** The parts of a split GGUF are there when one of them is; opening them tells. */
function siblings(name: string): string[] {
  const [, prefix, , count] = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/.exec(name) ?? []
  if (prefix === undefined) return [name]
  const parts = Math.min(Number(count), 1024)
  return Array.from(
    { length: parts },
    (_, i) => `${prefix}-${String(i + 1).padStart(5, "0")}-of-${count}.gguf`,
  )
}
