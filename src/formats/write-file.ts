// Files that appear whole or not at all (Node only): written under another name in the same folder, flushed to the
// disk, then renamed over the old one. An interrupted write leaves what was there.
import { randomBytes } from "node:crypto"
import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { InvalidOptionError } from "../errors/index.js"
import { fileError } from "./file-source.js"
import type { TensorEntry } from "./tensor-file.js"

/** The bytes of a tensor, in pieces of any size. */
export type Produce = (name: string) => AsyncIterable<Uint8Array>

/** A file that is not there yet: `write` it, `seal` it, then `publish` it under its name, or `discard` it. */
export class PendingFile {
  readonly path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  #open = true

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path
    this.#temporary = temporary
    this.#handle = handle
  }

  static async create(path: string): Promise<PendingFile> {
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.partial`)
    return new PendingFile(path, temporary, await naming(path, open(temporary, "wx")))
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, 2 ** 30)
      done += (await naming(this.path, this.#handle.write(bytes, done, length))).bytesWritten
    }
  }

  /** Flushes to the disk and closes: what is published later cannot be half there after a power cut. */
  async seal(): Promise<void> {
    await naming(this.path, this.#handle.sync())
    await this.#close()
  }

  async publish(): Promise<void> {
    await naming(this.path, rename(this.#temporary, this.path))
    await syncFolder(dirname(this.path))
  }

  async discard(): Promise<void> {
    await this.#close()
    await rm(this.#temporary, { force: true })
  }

  async #close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await naming(this.path, this.#handle.close())
  }
}

/** Runs `write` on new files, seals all and publishes them in order; discards all when anything fails. */
export async function publishing(
  write: (create: (path: string) => Promise<PendingFile>) => Promise<void>,
): Promise<void> {
  const files: PendingFile[] = []
  try {
    await write(async (path) => {
      const file = await PendingFile.create(path)
      files.push(file)
      return file
    })
    for (const file of files) await file.seal()
    for (const file of files) await file.publish()
  } catch (error) {
    await Promise.allSettled(files.map((file) => file.discard()))
    throw error
  }
}

/** A whole small file at once. */
export const writeFileAtomically = (path: string, content: Uint8Array | string): Promise<void> =>
  publishing(async (create) => {
    const file = await create(path)
    await file.write(typeof content === "string" ? new TextEncoder().encode(content) : content)
  })

/** Writes the bytes that `produce` gives for a tensor; an invariant of the caller that they are as many as stated. */
export async function writeTensor(
  file: PendingFile,
  { name, byteLength }: TensorEntry,
  produce: Produce,
): Promise<void> {
  let written = 0
  for await (const bytes of produce(name)) {
    written += bytes.length
    if (written > byteLength) break
    await file.write(bytes)
  }
  if (written !== byteLength)
    throw new InvalidOptionError(
      `the tensor ${name} was announced with ${byteLength} bytes, but ${written > byteLength ? "more" : written} came`,
    )
}

async function naming<T>(path: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw fileError(path, error)
  }
}

// Makes the rename itself durable; some systems do not let folders be opened, and have nothing to sync then.
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}
