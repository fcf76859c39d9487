// Finds models in a Hugging Face cache: what every snapshot holds, and the one that an id means. Reads names,
// links and refs only, never the weights. Does not download and does not change anything.
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { CriaError, ModelNotFoundError } from "../errors/index.js"
import {
  boundedRead,
  cachedRepository,
  type CachedRepository,
  type FoundFile,
  readRef,
  readTree,
} from "./cache.js"
import { type Choice, chooseFiles, ggufSets, missingShards } from "./choose-files.js"
import { type ModelList, newest } from "./local-model.js"
import { formatModelId, printable, repositoryOfFolder } from "./model-id.js"

const mostModels = 10_000
const mostSnapshots = 200

/** A cached model that an id means. */
export interface CachedModel {
  readonly path: string
  readonly commit: string
  readonly choice: Choice<FoundFile>
}

/** The commits that have a snapshot folder, newest first. */
export async function snapshotsOf(cached: CachedRepository): Promise<string[]> {
  const names = (await readdir(cached.snapshots).catch(() => []))
    .filter((name) => /^[0-9a-f]{40}$/.test(name))
    .slice(0, mostSnapshots)
  const dated = await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(cached.snapshots, name)).catch(() => undefined)
      return { name, time: info?.mtimeMs ?? 0 }
    }),
  )
  return dated.toSorted((a, b) => b.time - a.time).map(({ name }) => name)
}

/** Commit -> the revisions that point to it, `main` first. */
export async function revisionsOf(cached: CachedRepository): Promise<Map<string, string[]>> {
  const { files } = await readTree(cached.refs, cached.refs)
  const revisions = new Map<string, string[]>()
  for (const { path } of files) {
    const commit = (await boundedRead(join(cached.refs, path), 1024))?.trim() ?? ""
    if (!/^[0-9a-f]{40}$/.test(commit)) continue
    const names = revisions.get(commit) ?? []
    if (path === "main") names.unshift(path)
    else names.push(path)
    revisions.set(commit, names)
  }
  return revisions
}

/** Why a choice of files on disk cannot be loaded yet, or undefined. */
function incomplete(choice: Choice<FoundFile>): string | undefined {
  const missing = missingShards(choice.files)
  if (missing > 0) return `${missing} of its weight files are missing: pull it again to finish`
  if (
    choice.format === "safetensors" &&
    !choice.files.some((file) => /(?:^|\/)config\.json$/.test(file.path))
  )
    return "its config.json is missing: pull it again to finish"
  return undefined
}

/**
 * The cached model that a repository, revision and selection mean; undefined where it is not (wholly) there.
 *
 * @throws InvalidOptionError where several cached models match and none is named.
 */
export async function findInCache(
  cacheFolder: string,
  repository: string,
  revision: string,
  selection?: string,
  include?: readonly string[],
): Promise<CachedModel | undefined> {
  const cached = cachedRepository(cacheFolder, repository)
  const commit = await readRef(cached, revision)
  const commits = commit !== undefined ? [commit] : revision === "main" ? await snapshotsOf(cached) : []
  for (const candidate of commits) {
    const root = join(cached.snapshots, candidate)
    const { files } = await readTree(root, cacheFolder)
    if (files.length === 0) continue
    try {
      const choice = chooseFiles(repository, files, selection, include)
      if (incomplete(choice) === undefined)
        return { path: join(root, choice.entry), commit: candidate, choice }
    } catch (error) {
      if (!(error instanceof ModelNotFoundError)) throw error
    }
  }
  return undefined
}

/** All models of a Hugging Face cache; entries that cannot be loaded are reported, not thrown. */
export async function listHuggingFace(cacheFolder: string, list: ModelList): Promise<void> {
  const folders = await readdir(cacheFolder, { withFileTypes: true }).catch(() => [])
  let count = 0
  for (const folder of folders) {
    const repository = folder.isDirectory() ? repositoryOfFolder(folder.name) : undefined
    if (repository === undefined) continue
    if (++count > mostModels) {
      list.skipped.push({ path: cacheFolder, reason: `more than ${mostModels} models` })
      return
    }
    const cached = cachedRepository(cacheFolder, repository)
    const revisions = await revisionsOf(cached)
    for (const commit of await snapshotsOf(cached)) {
      const revision = revisions.get(commit)?.[0] ?? commit
      await listSnapshot(cacheFolder, repository, revision, join(cached.snapshots, commit), list)
    }
  }
}

async function listSnapshot(
  cacheFolder: string,
  repository: string,
  revision: string,
  root: string,
  list: ModelList,
): Promise<void> {
  const { files, skipped } = await readTree(root, cacheFolder)
  list.skipped.push(...skipped)
  const before = list.models.length + list.skipped.length
  for (const selection of selectionsOf(files)) {
    try {
      const choice = chooseFiles(repository, files, selection)
      const reason = incomplete(choice)
      if (reason) list.skipped.push({ path: root, reason })
      else
        list.models.push({
          id: formatModelId(repository, revision, selection),
          source: "huggingface",
          path: join(root, choice.entry),
          bytes: choice.bytes,
          modified: newest(choice.files),
        })
    } catch (error) {
      if (!(error instanceof CriaError)) throw error
      list.skipped.push({ path: root, reason: printable(error.message, 400) })
    }
  }
  if (list.models.length + list.skipped.length === before && skipped.length === 0)
    list.skipped.push({ path: root, reason: "it holds no weights that can be read" })
}

/** What to write after the colon for every model of a snapshot; undefined stands for the snapshot itself. */
function selectionsOf(files: readonly FoundFile[]): (string | undefined)[] {
  const selections: (string | undefined)[] = []
  const folders = new Set<string>()
  for (const { path } of files)
    if (/\.(?:safetensors|pth)$/.test(path))
      folders.add(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "")
  for (const folder of folders) selections.push(folder === "" ? undefined : folder)
  const sets = ggufSets(files)
  for (const set of sets) {
    const alone = sets.filter((other) => other.quantization === set.quantization).length === 1
    selections.push(alone && set.quantization ? set.quantization : set.files[0].path)
  }
  for (const { path } of files)
    if (
      path.endsWith(".bin") &&
      !/(?:^|\/)(?:tok[\w-]*|pytorch_model[^/]*|training_args|optimizer)\.bin$/.test(path)
    )
      selections.push(path)
  return selections
}
