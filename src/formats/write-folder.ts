// Folders that appear whole or not at all (Node only): written beside their place, then renamed into it.
import { randomBytes } from "node:crypto"
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { fileError } from "./file-source.js"

const hidden = (path: string, ending: string) =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.${ending}`)

/**
 * `write` fills an empty folder, which then takes the place of the one at `path`. Where anything fails, what stands at
 * `path` stays. The files are to be flushed to the disk by whoever writes them.
 */
export async function publishFolder(path: string, write: (folder: string) => Promise<void>): Promise<void> {
  const partial = hidden(path, "partial")
  try {
    await mkdir(partial, { recursive: true })
    await write(partial)
    await syncFolder(partial)
    const there = await stat(path).catch(() => undefined)
    const old = there && hidden(path, "old")
    if (old) await rename(path, old)
    await rename(partial, path)
    await syncFolder(dirname(path))
    if (old) await rm(old, { recursive: true, force: true })
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw fileError(path, error)
  }
}

/** Removes a folder; at no moment does a part of it stand under its name. */
export async function removeFolder(path: string): Promise<void> {
  const old = hidden(path, "old")
  await rename(path, old)
  await rm(old, { recursive: true, force: true })
}

/** Removes what interrupted calls of these functions have left in a folder. */
export async function sweepFolder(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (/^\..+\.[0-9a-f]{12}\.(?:partial|old)$/.test(name))
      await rm(join(parent, name), { recursive: true, force: true })
  }
}

// Some systems do not let folders be opened, and have nothing to sync then.
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}
