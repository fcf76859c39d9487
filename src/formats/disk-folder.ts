// A folder of the disk (Node only), and the model at a path.
import { readdir, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { type Checkpoint, openCheckpointIn } from "./checkpoint.js"
import { fileError, fileSource } from "./file-source.js"
import type { ModelFolder } from "./folder.js"

/**
 * Opens the model at `path`, a folder or one of its files. ModelNotFoundError where there is none, else as
 * `openCheckpointIn`.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileError(path, error)
  })
  if (status.isDirectory()) return openCheckpointIn(diskFolder(path))
  return openCheckpointIn(diskFolder(dirname(path)), basename(path))
}

/** The files of a folder of the disk. */
export function diskFolder(path: string): ModelFolder {
  const pathOf = (name: string) => join(path, name)
  return {
    path,
    names: async () => {
      try {
        return new Set(await readdir(path))
      } catch (error) {
        throw fileError(path, error)
      }
    },
    pathOf,
    open: (name) => fileSource(pathOf(name)),
  }
}
