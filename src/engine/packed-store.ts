// Keeps a loaded model on disk as the backend packs it, so that the next start maps it instead of reading, converting and
// packing it again (Node only). It is a cache: whatever goes wrong here, the model is loaded from its own files.
import { createHash, randomBytes } from "node:crypto"
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, statfs } from "node:fs/promises"
import { basename, join } from "node:path"
import type { Backend } from "../backends/backend.js"
import { userCache } from "../hub/folders.js"
import {
  modelFilesOf,
  packedName,
  packedPlaces,
  removeAbandoned,
  unfinishedName,
} from "../hub/packed-files.js"
import type { KeptModel, PackedStore } from "./load-model.js"
import { composePacked, packedBytesOf, readPacked } from "./packed-file.js"

/** Smaller models load at once anyway. */
const leastBytes = 64 * 2 ** 20
/** What is left free on a disk. */
const spareBytes = 2 ** 30
/** Of each file of the model this much is looked at, beside its size and time. */
const headBytes = 64 * 1024

/** The store of the model at `path`. `least`: for tests. */
export function packedStore(path: string, least: number = leastBytes): PackedStore {
  /** Of the files as they were when the model was asked for: what changes while it loads is not missed. */
  let key: Promise<string> | undefined
  const keyFor = (backend: Backend, weights: string) =>
    (key ??= sourceKey(path).then((source) => JSON.stringify([source, weights, backend.packing?.layout])))

  return {
    async load(backend, weights) {
      if (!backend.packing) return undefined
      try {
        const wanted = await keyFor(backend, weights)
        const secret = await readSecret()
        if (!secret) return undefined
        for (const place of await packedPlaces(path)) {
          const file = join(place.folder, packedName(place, weights, backend.packing.layout))
          const kept = await withFile(file, "r", (handle) => readPacked(handle, backend, wanted, secret))
          if (kept) return kept
        }
      } catch {
        // Not readable, or not what it should be: as good as not there.
      }
      return undefined
    },

    async save(backend, weights, kept) {
      if (!backend.packing) return
      try {
        const bytes = packedBytesOf(kept, backend)
        if (bytes < least) return
        const wanted = await keyFor(backend, weights)
        const secret = (await readSecret()) ?? (await makeSecret())
        for (const place of await packedPlaces(path)) {
          if (await saveIn(place, bytes, backend, weights, kept, wanted, secret)) return
        }
      } catch {
        // No room, no permission, or the engine has ended: the next start may try again.
      }
    },
  }
}

/** Starts to write the file in a folder; false where that may not be written or has no room. */
async function saveIn(
  place: Awaited<ReturnType<typeof packedPlaces>>[number],
  bytes: number,
  backend: Backend,
  weights: string,
  kept: KeptModel,
  key: string,
  secret: Uint8Array,
): Promise<boolean> {
  const path = join(place.folder, packedName(place, weights, backend.packing!.layout))
  const unfinished = unfinishedName(path, `${process.pid}-${randomBytes(4).toString("hex")}`)
  try {
    await mkdir(place.folder, { recursive: true })
    const { bavail, bsize } = await statfs(place.folder)
    if (bavail * bsize < bytes + spareBytes) return false
    await (await open(unfinished, "wx", 0o600)).close()
  } catch {
    return false
  }
  try {
    await removeAbandoned(place)
    const { head, weights: places } = await composePacked(kept, backend, key, secret)
    await withFile(unfinished, "r+", async (file) => {
      for (const [offset, bytes] of head) await writeExactly(file, bytes, offset)
    })
    backend.packing!.keep(unfinished, path, places)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
  return true
}

/** What the model's files are: their names, sizes, times and beginnings. */
async function sourceKey(path: string): Promise<string> {
  const files = await modelFilesOf(path)
  const facts = files.map(async (file) => {
    const { size, mtimeMs } = await stat(file)
    const head = await withFile(file, "r", async (handle) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
      return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex")
    })
    return [basename(file), size, mtimeMs, head]
  })
  return JSON.stringify(await Promise.all(facts))
}

async function writeExactly(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done)
    done += bytesWritten
  }
}

async function withFile<T>(
  path: string,
  mode: "r" | "r+",
  work: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  const file = await open(path, mode).catch(() => undefined)
  if (!file) return undefined
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

/** What tells this user's packed files from those that came with a model. */
const secretBytes = 32
const secretPath = () => join(userCache(), "cria", "packed.key")

async function readSecret(): Promise<Uint8Array | undefined> {
  const bytes = await readFile(secretPath()).catch(() => undefined)
  return bytes?.length === secretBytes ? bytes : undefined
}

async function makeSecret(): Promise<Uint8Array> {
  const path = secretPath()
  await mkdir(join(userCache(), "cria"), { recursive: true })
  const unfinished = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`
  const file = await open(unfinished, "wx", 0o600)
  const secret = randomBytes(secretBytes)
  await file.writeFile(secret)
  await file.close()
  await rename(unfinished, path)
  return secret
}
