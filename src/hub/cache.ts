// The Hugging Face cache on disk: blobs by checksum, snapshots of links to them, refs from a branch to a commit.
// Shared with the other tools that use it, so their layout is kept to the letter. Knows no network.
import { randomBytes } from "node:crypto"
import type { Dirent } from "node:fs"
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import { HubError } from "../errors/index.js"
import { cacheFolderName, formatBytes, isRevision } from "./model-id.js"

/** The folders of one model in a Hugging Face cache. */
export interface CachedRepository {
  readonly root: string
  readonly blobs: string
  readonly refs: string
  readonly snapshots: string
}

/** Where a model lies in a cache, whether it is there or not. */
export function cachedRepository(cacheFolder: string, repository: string): CachedRepository {
  const root = join(cacheFolder, cacheFolderName(repository))
  return { root, blobs: join(root, "blobs"), refs: join(root, "refs"), snapshots: join(root, "snapshots") }
}

/** Whether a file of a snapshot is there with its full size: as blob, or as plain file where links are not. */
export async function hasFile(
  cached: CachedRepository,
  commit: string,
  file: { path: string; size: number; checksum: { hex: string } },
): Promise<boolean> {
  const blob = await stat(join(cached.blobs, file.checksum.hex)).catch(() => undefined)
  if (blob?.isFile() && blob.size === file.size) return true
  const plain = await lstat(join(cached.snapshots, commit, file.path)).catch(() => undefined)
  return plain?.isFile() === true && plain.size === file.size
}

/** Errors that mean "no symbolic links here": Windows without the privilege, FAT, some network drives. */
const noLinks = new Set(["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "UNKNOWN"])

/**
 * Shows a blob under its path in a snapshot: a relative link, or the blob itself moved there where links are not
 * permitted.
 */
export async function placeInSnapshot(
  cached: CachedRepository,
  commit: string,
  path: string,
  blobName: string,
  link: typeof symlink = symlink,
): Promise<void> {
  const target = join(cached.snapshots, commit, path)
  const blob = join(cached.blobs, blobName)
  await mkdir(dirname(target), { recursive: true })
  const text = relative(dirname(target), blob)
  if ((await readlink(target).catch(() => undefined)) === text) return
  if (!(await stat(blob).catch(() => undefined))) return // it is a plain file already: hasFile has seen it
  const temporary = `${target}.${randomBytes(6).toString("hex")}.link`
  try {
    await link(text, temporary)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    if (!noLinks.has((error as NodeJS.ErrnoException).code ?? "")) throw error
    await rename(blob, target)
  }
}

/** Writes `refs/<revision>`; a commit needs none. */
export async function writeRef(cached: CachedRepository, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const path = join(cached.refs, revision)
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`
  await writeFile(temporary, commit)
  await rename(temporary, path)
}

/** The commit that a revision pointed to when it was pulled last; a full commit is itself. */
export async function readRef(cached: CachedRepository, revision: string): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision
  if (!isRevision(revision)) return undefined
  const text = await boundedRead(join(cached.refs, revision), 1024)
  return text !== undefined && /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : undefined
}

/** Reads a small text file; undefined where it is missing, larger, or no plain file. */
export async function boundedRead(path: string, longest: number): Promise<string | undefined> {
  const info = await lstat(path).catch(() => undefined)
  if (!info?.isFile() || info.size > longest) return undefined
  return readFile(path, "utf8").catch(() => undefined)
}

/** A file found below a folder. */
export interface FoundFile {
  /** Relative to the folder, with forward slashes. */
  readonly path: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modified: number
  /** Where the bytes are, links resolved. */
  readonly target: string
}

/** What a search found, and what it passed over and why. */
export interface FoundTree {
  readonly files: FoundFile[]
  readonly skipped: { path: string; reason: string }[]
}

const deepest = 8
const mostEntries = 20_000

/**
 * All files below a folder. Links to files are followed only to targets inside `within`; links to folders never.
 * Stops at 8 levels and 20 000 entries.
 */
export async function readTree(root: string, within: string): Promise<FoundTree> {
  const files: FoundFile[] = []
  const skipped: FoundTree["skipped"] = []
  let entries = 0
  const bounds = await realpath(within).catch(() => within)
  const visit = async (folder: string, prefix: string, depth: number): Promise<void> => {
    const children: Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const child of children.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (++entries > mostEntries) {
        if (entries === mostEntries + 1)
          skipped.push({ path: root, reason: `more than ${mostEntries} entries` })
        return
      }
      const path = join(folder, child.name)
      if (child.isDirectory()) {
        if (depth < deepest) await visit(path, `${prefix}${child.name}/`, depth + 1)
        else skipped.push({ path, reason: `more than ${deepest} folders deep` })
        continue
      }
      const found = await resolveFile(path, bounds)
      if (typeof found === "string") skipped.push({ path, reason: found })
      else if (found) files.push({ path: `${prefix}${child.name}`, ...found })
    }
  }
  await visit(root, "", 1)
  return { files, skipped }
}

/** A file's size, date and true place; a reason where it is a broken link or leads outside. */
async function resolveFile(
  path: string,
  bounds: string,
): Promise<Omit<FoundFile, "path"> | string | undefined> {
  const target = await realpath(path).catch(() => undefined)
  if (target === undefined) return "the link leads nowhere: the file was deleted or never finished"
  if (!target.startsWith(bounds.endsWith(sep) ? bounds : bounds + sep))
    return "the link leads out of the folder"
  const info = await stat(target).catch(() => undefined)
  return info?.isFile() ? { size: info.size, modified: info.mtimeMs, target } : undefined
}

/** Free space that a disk should keep beside the model. */
const reserve = 64 << 20

/**
 * Refuses to start what cannot fit.
 *
 * @throws HubError with the numbers.
 */
export async function checkDiskSpace(folder: string, needed: number): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined) // some network drives cannot tell
  if (needed === 0 || !disk || disk.blocks === 0) return
  const free = disk.bavail * disk.bsize
  if (needed + reserve > free)
    throw new HubError(
      `not enough disk space in ${folder}: ${formatBytes(needed)} to download, ${formatBytes(free)} free; ` +
        `free some, choose a smaller quantization, or set HF_HUB_CACHE to a folder on a larger disk`,
    )
}
