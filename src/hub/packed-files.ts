// Where packed weights of a model are kept on this disk: in a folder .cria beside the model, or in the user's cache
// where the model's folder may not be written. What is in such a file engine/packed-file.ts knows.
import { createHash } from "node:crypto"
import { readdir, rm, rmdir, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { type Environment, userCache } from "./folders.js"

const beside = ".cria"
const ending = ".packed"
const unfinishedEnding = ".tmp"
/** A file that nobody has written to for this long belongs to a process that is gone. */
const abandonedMinutes = 60

/** A place where packed weights may be. */
interface Place {
  readonly folder: string
  /** What the names of the model's files start with. */
  readonly prefix: string
}

/** A packed file that was found. */
export interface PackedFile {
  readonly path: string
  readonly bytes: number
}

/** The places of a model's packed weights, the best first. `path` is its folder or file. */
export async function packedPlaces(path: string, env: Environment = process.env): Promise<Place[]> {
  const full = resolve(path)
  const isFolder = (await stat(full)).isDirectory()
  const name = isFolder ? "model" : basename(full)
  const user = join(userCache(env), "cria", "packed")
  const hash = createHash("sha256").update(full).digest("hex").slice(0, 16)
  return [
    { folder: join(isFolder ? full : dirname(full), beside), prefix: `${name}.` },
    { folder: user, prefix: `${hash}.${name.slice(0, 100)}.` },
  ]
}

/** The name of the file for one kind of weights in one layout. */
export const packedName = ({ prefix }: Place, weights: string, layout: string): string =>
  `${prefix}${weights}.${layout.replace(/-[^-]*$/, "")}${ending}`

/** A name for a file that is not finished yet. */
export const unfinishedName = (name: string, unique: string): string => `${name}.${unique}${unfinishedEnding}`

/** All packed files of a model. */
export async function packedFilesOf(path: string, env?: Environment): Promise<PackedFile[]> {
  const places = await packedPlaces(path, env).catch(() => [])
  const found = await Promise.all(places.map((place) => filesIn(place, ending)))
  return found.flat()
}

/** Deletes all packed files of a model, finished or not, wherever they are; returns their bytes. */
export async function removePacked(path: string, env?: Environment): Promise<number> {
  let bytes = 0
  for (const place of await packedPlaces(path, env).catch(() => [])) {
    for (const file of [...(await filesIn(place, ending)), ...(await filesIn(place, unfinishedEnding))]) {
      await rm(file.path, { force: true })
      bytes += file.bytes
    }
    await rmdir(place.folder).catch(() => {}) // others may have files there
  }
  return bytes
}

/** Deletes what processes left behind that ended while they wrote. */
export async function removeAbandoned(place: Place): Promise<void> {
  const oldest = Date.now() - abandonedMinutes * 60_000
  for (const file of await filesIn(place, unfinishedEnding)) {
    if (file.modified < oldest) await rm(file.path, { force: true })
  }
}

async function filesIn(
  { folder, prefix }: Place,
  end: string,
): Promise<(PackedFile & { modified: number })[]> {
  const names = await readdir(folder).catch(() => [])
  const files = names
    .filter((name) => name.startsWith(prefix) && name.endsWith(end))
    .map(async (name) => {
      const path = join(folder, name)
      const { size, mtimeMs } = await stat(path)
      return { path, bytes: size, modified: mtimeMs }
    })
  return Promise.all(files)
}

/** Files that say what a model is, beside those that hold its weights. */
const companions = /^(?:.*config\.json|params\.json|tokenizer.*|chat_template.*|.*\.index\.json)$/
const modelFiles = /\.(?:safetensors|gguf|pth|pt|bin|json|model|jinja|tiktoken)$/
const splitFile = /^(.+)-\d{5}-of-(\d{5}\.gguf)$/

/** The files that a model at `path` is read from. */
export async function modelFilesOf(path: string): Promise<string[]> {
  const full = resolve(path)
  if ((await stat(full)).isDirectory()) {
    const names = (await readdir(full)).filter((name) => modelFiles.test(name))
    return names.toSorted().map((name) => join(full, name))
  }
  const folder = dirname(full)
  const name = basename(full)
  const split = splitFile.exec(name)
  const belongs = (other: string) => {
    if (other === name || companions.test(other)) return true
    const part = split && splitFile.exec(other)
    return !!part && part[1] === split[1] && part[2] === split[2]
  }
  return (await readdir(folder))
    .filter(belongs)
    .toSorted()
    .map((other) => join(folder, other))
}
