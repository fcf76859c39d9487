// A file on disk as a byte source (Node only): positional reads, so files beyond 4 GiB and beyond what could be
// mapped into memory work, and nothing is held but the descriptor.
import { type FileHandle, open, stat } from "node:fs/promises"
import { CriaError, InvalidFileError, ModelNotFoundError } from "../errors/index.js"
import { type ByteSource, checkRange } from "./byte-source.js"

/** Largest read handed to the system at once; Node refuses 2 GiB and more. */
const maxRead = 2 ** 30

/**
 * Opens a regular file for reading. ModelNotFoundError where there is none, InvalidFileError where it cannot be
 * read or is not a regular file (opening a pipe would wait for ever).
 */
export async function fileSource(path: string): Promise<ByteSource> {
  let handle: FileHandle
  let size: number
  try {
    const status = await stat(path)
    if (!status.isFile()) throw new InvalidFileError(`${path} is not a regular file`)
    handle = await open(path, "r")
    size = status.size
  } catch (error) {
    throw fileError(path, error)
  }
  return {
    name: path,
    size,
    read: async (offset, into) => {
      checkRange({ name: path, size }, offset, into.length, "a read")
      let done = 0
      while (done < into.length) {
        const length = Math.min(maxRead, into.length - done)
        const { bytesRead } = await handle.read(into, done, length, offset + done).catch((error: unknown) => {
          throw fileError(path, error)
        })
        if (bytesRead === 0)
          throw new InvalidFileError(`${path} became shorter than its ${size} bytes while it was read`)
        done += bytesRead
      }
    },
    close: () => handle.close(),
  }
}

/** A system error about `path` as one of ours, with the way out. */
export function fileError(path: string, error: unknown): unknown {
  if (error instanceof CriaError || !(error instanceof Error) || !("code" in error)) return error
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return new ModelNotFoundError(`${path} does not exist`, { cause: error })
    case "EACCES":
    case "EPERM":
      return new InvalidFileError(`${path} may not be opened by this user: check its permissions`, {
        cause: error,
      })
    case "EMFILE":
    case "ENFILE":
      return new InvalidFileError(`${path} cannot be opened: too many files are open`, { cause: error })
    case "ENOSPC":
      return new CriaError("disk_full", `${path} cannot be written: the disk is full`, { cause: error })
    default:
      return new InvalidFileError(`${path} cannot be used: ${error.message}`, { cause: error })
  }
}
