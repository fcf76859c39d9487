// Finds the models that Ollama and LM Studio keep on this disk. Those belong to these programs: they are read,
// never changed. Manifests and names are treated as hostile.
import { open, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import * as z from "zod"
import { boundedRead, readTree } from "./cache.js"
import { ggufSets } from "./choose-files.js"
import { type ModelList, newest } from "./local-model.js"

const modelLayer = "application/vnd.ollama.image.model"
const manifest = z.object({
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        size: z.int().nonnegative(),
      }),
    )
    .max(10_000),
})
const largestManifest = 1 << 20

/** The name that Ollama shows: its own registry and namespace are left out. */
function ollamaName(parts: readonly string[]): string {
  const [registry, namespace, model, tag] = parts
  const place =
    registry !== "registry.ollama.ai"
      ? `${registry}/${namespace}/`
      : namespace === "library"
        ? ""
        : `${namespace}/`
  return `${place}${model}:${tag}`
}

/**
 * Models of Ollama: `manifests/<registry>/<namespace>/<model>/<tag>` name layers, and the model layer in `blobs`
 * is a GGUF file.
 */
export async function listOllama(folder: string, list: ModelList): Promise<void> {
  const root = join(folder, "manifests")
  const { files, skipped } = await readTree(root, folder)
  list.skipped.push(...skipped)
  for (const file of files) {
    const parts = file.path.split("/")
    if (parts.length !== 4 || parts.some((part) => part.startsWith("."))) continue
    const path = join(root, file.path)
    const found = await ollamaBlob(folder, path)
    if (typeof found === "string") list.skipped.push({ path, reason: found })
    else
      list.models.push({
        id: `ollama:${ollamaName(parts)}`,
        source: "ollama",
        path: found.path,
        bytes: found.bytes,
        modified: new Date(file.modified),
      })
  }
}

/** The GGUF that a manifest names, or why there is none. */
async function ollamaBlob(folder: string, path: string): Promise<{ path: string; bytes: number } | string> {
  const text = await boundedRead(path, largestManifest)
  if (text === undefined) return "the manifest cannot be read or is larger than 1 MiB"
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return "the manifest is not JSON"
  }
  const parsed = manifest.safeParse(json)
  if (!parsed.success) return "the manifest is not of the form that Ollama writes"
  const layers = parsed.data.layers.filter((layer) => layer.mediaType === modelLayer)
  if (layers.length !== 1)
    return layers.length === 0
      ? "it has no GGUF model (a remote or split one)"
      : "it is split into several layers"
  const blob = join(folder, "blobs", layers[0].digest.replace(":", "-"))
  const info = await stat(blob).catch(() => undefined)
  if (!info?.isFile()) return "its model file is missing"
  if (info.size !== layers[0].size)
    return `its model file has ${info.size} bytes instead of ${layers[0].size}`
  return (await isGguf(blob)) ? { path: blob, bytes: info.size } : "its model file is not a GGUF"
}

async function isGguf(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => undefined)
  if (!handle) return false
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString("latin1") === "GGUF"
  } finally {
    await handle.close()
  }
}

/** Models of LM Studio: `publisher/name/*.gguf`. */
export async function listLmStudio(folder: string, list: ModelList): Promise<void> {
  for (const publisher of await folders(folder))
    for (const name of await folders(join(folder, publisher))) {
      const root = join(folder, publisher, name)
      const { files, skipped } = await readTree(root, folder)
      list.skipped.push(...skipped)
      for (const set of ggufSets(files)) {
        const first = set.files[0]
        if (set.missing > 0)
          list.skipped.push({ path: join(root, first.path), reason: `${set.missing} pieces are missing` })
        else
          list.models.push({
            id: `lmstudio:${publisher}/${name}/${first.path}`,
            source: "lmstudio",
            path: join(root, first.path),
            bytes: set.bytes,
            modified: newest(set.files),
          })
      }
    }
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .slice(0, 2000)
}
