// Removes models that were pulled into the Hugging Face cache, without taking a byte from another revision.
// What Ollama and LM Studio keep is theirs to remove.
import { lstat, readdir, readlink, rm, rmdir } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { HubError, InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import { type CachedRepository, cachedRepository, readRef, readTree } from "./cache.js"
import { chooseFiles } from "./choose-files.js"
import { closestNames, type FindOptions, findForeign, listModels, tryParseModelId } from "./find.js"
import { huggingFaceCache } from "./folders.js"
import { revisionsOf, snapshotsOf } from "./list-huggingface.js"
import { cacheFolderName, formatModelId, printable } from "./model-id.js"
import { removePacked } from "./packed-files.js"
import { findParts } from "./part-file.js"

/** Options of {@link removeModel}. */
export interface RemoveOptions extends FindOptions {
  /** The Hugging Face cache to remove from; default the first of `folders.huggingface`, then the user's. */
  readonly cacheFolder?: string
}

/** What a removal did. */
export interface RemovedModel {
  /** The id as it was understood. */
  readonly id: string
  /** Bytes that are free again. */
  readonly bytes: number
  /** Files of the model that are gone, relative to its snapshot. */
  readonly files: readonly string[]
}

/**
 * Removes a pulled model: all of `owner/name`, one revision (`owner/name@revision`), or one file or quantization of
 * it (`owner/name:Q4_0`). Content that another revision uses stays.
 *
 * @throws ModelNotFoundError (with close names), InvalidOptionError for models of other programs (with the command
 *   that removes them), HubError while a pull of the model is running.
 */
export async function removeModel(id: string, options: RemoveOptions = {}): Promise<RemovedModel> {
  const cacheFolder = resolve(options.cacheFolder ?? options.folders?.huggingface?.[0] ?? huggingFaceCache())
  const model = tryParseModelId(id)
  const cached = model && cachedRepository(cacheFolder, model.repository)
  const info = cached && (await lstat(cached.root).catch(() => undefined))
  if (!model || !cached || !info?.isDirectory()) throw await notOurs(id, cacheFolder, options)
  if ((await findParts(cached.blobs)).some((part) => part.alive))
    throw new HubError(`${model.repository} is being pulled right now: stop that pull, then remove it`)
  const understood = formatModelId(model.repository, model.revision, model.selection)

  if (model.revision === undefined && model.selection === undefined) {
    const { files } = await readTree(cached.root, cached.root)
    const content = files.filter((file) => !file.path.startsWith("refs/"))
    const sizes = new Map(content.map((file) => [file.target, file.size]))
    await Promise.all(
      (await snapshotsOf(cached)).map((commit) => removePackedIn(join(cached.snapshots, commit))),
    )
    await rm(cached.root, { recursive: true })
    await rm(join(cacheFolder, ".locks", cacheFolderName(model.repository)), { recursive: true, force: true })
    const names = files.filter((file) => file.path.startsWith("snapshots/"))
    return {
      id: understood,
      bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
      files: [...new Set(names.map((file) => file.path.split("/").slice(2).join("/")))],
    }
  }

  const commits = await commitsOf(cached, model.revision, understood)
  const removed = new Set<string>()
  let bytes = 0
  for (const commit of commits) {
    const root = join(cached.snapshots, commit)
    const { files } = await readTree(root, cacheFolder)
    const chosen =
      model.selection === undefined
        ? files
        : weightsOf(model.repository, files, model.selection, commits.length > 1)
    if (model.selection === undefined) bytes += await removePackedIn(root)
    for (const file of chosen) {
      removed.add(file.path)
      bytes += await removePacked(join(root, file.path))
      await rm(join(root, file.path), { force: true })
      await removeEmptyFolders(dirname(join(root, file.path)), cached.snapshots)
    }
    if (model.selection === undefined) await removeRevision(cached, commit)
  }
  if (removed.size === 0 && model.selection !== undefined)
    throw new ModelNotFoundError(`${understood} is not on this disk: "cria list" shows what is`)
  return { id: understood, bytes: bytes + (await sweep(cached)), files: [...removed] }
}

/** Deletes what was kept packed of the model in a folder and of the models that its files are. */
async function removePackedIn(folder: string): Promise<number> {
  let bytes = await removePacked(folder)
  for (const name of await readdir(folder).catch(() => [])) bytes += await removePacked(join(folder, name))
  return bytes
}

/** The weight files that a selection means; the papers and settings stay, others may need them. */
function weightsOf<F extends { path: string; size: number }>(
  repository: string,
  files: readonly F[],
  selection: string,
  tolerant: boolean,
): readonly F[] {
  try {
    const { files: chosen } = chooseFiles(repository, files, selection)
    return chosen.filter(
      (file) => /\.(?:gguf|safetensors|pth|bin)$/i.test(file.path) || file.path.startsWith(`${selection}/`),
    )
  } catch (error) {
    if (tolerant && error instanceof ModelNotFoundError) return []
    throw error
  }
}

async function commitsOf(
  cached: CachedRepository,
  revision: string | undefined,
  understood: string,
): Promise<string[]> {
  const present = await snapshotsOf(cached)
  if (revision === undefined) return present
  const commit = await readRef(cached, revision)
  if (commit !== undefined && present.includes(commit)) return [commit]
  const revisions = [...(await revisionsOf(cached)).values()].flat()
  throw new ModelNotFoundError(
    `${understood} is not on this disk: there ${revisions.length === 1 ? "is" : "are"} ` +
      (printable([...revisions, ...present].slice(0, 8).join(", ")) || "no revisions"),
  )
}

/** Deletes a snapshot and the refs to it. */
async function removeRevision(cached: CachedRepository, commit: string): Promise<void> {
  await rm(join(cached.snapshots, commit), { recursive: true, force: true })
  for (const name of (await revisionsOf(cached)).get(commit) ?? []) {
    await rm(join(cached.refs, name), { force: true })
    await removeEmptyFolders(dirname(join(cached.refs, name)), cached.refs)
  }
}

/** Deletes the blobs and parts that no snapshot shows any more; returns their bytes. */
async function sweep(cached: CachedRepository): Promise<number> {
  const used = new Set<string>()
  for (const commit of await snapshotsOf(cached)) await collectLinks(join(cached.snapshots, commit), used, 0)
  let bytes = 0
  for (const name of await readdir(cached.blobs).catch(() => [])) {
    if (used.has(name)) continue
    const path = join(cached.blobs, name)
    const info = await lstat(path).catch(() => undefined)
    if (!info?.isFile()) continue
    await rm(path, { force: true })
    bytes += info.size
  }
  return bytes
}

/** The blob names that links below a folder point to. */
async function collectLinks(folder: string, used: Set<string>, depth: number): Promise<void> {
  if (depth > 64) throw new HubError(`${folder} is nested too deeply: remove this model's folder by hand`)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await collectLinks(path, used, depth + 1)
    else if (entry.isSymbolicLink()) used.add(basename(await readlink(path)))
  }
}

/** Deletes a folder and those above it, up to `top`, as long as they are empty. */
async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; at !== top && at.startsWith(top); at = dirname(at)) {
    try {
      await rmdir(at)
    } catch {
      return // not empty
    }
  }
}

/** The error for an id that is not in the Hugging Face cache: another program's model, or none at all. */
async function notOurs(id: string, cacheFolder: string, options: RemoveOptions): Promise<Error> {
  const foreign = await findForeign(id, options)
  if (foreign?.source === "ollama")
    return new InvalidOptionError(
      `${printable(id)} belongs to Ollama: remove it with "ollama rm ${foreign.id.slice("ollama:".length)}"`,
    )
  if (foreign)
    return new InvalidOptionError(`${printable(id)} belongs to LM Studio: remove it there, under My Models`)
  const { models } = await listModels({ folders: { ...options.folders, huggingface: [cacheFolder] } })
  const close = closestNames(
    id,
    models.map((model) => model.id),
  )
  return new ModelNotFoundError(
    `no pulled model "${printable(id)}" on this disk: ` +
      (close.length > 0 ? `did you mean ${close.join(" or ")}?` : `"cria list" shows what is`),
  )
}
