// Files on their way: bytes arrive under a name of their own in the blobs folder and get the final name only
// when they are whole and verified. A part belongs to one process at a time; the name says to which, so that
// two pulls of one model wait for each other, and what a dead process left is taken over.
//
//   <etag>.cria.incomplete                          nobody's: left by a pull that was stopped
//   <etag>.cria-<host>-<pid>-<random>.incomplete    someone's: alive while touched and, on this host, running
//
// Claiming is a rename, which only one process can win. Even a wrong guess about a sleeping owner is harmless:
// its name is gone, so it can neither finish nor truncate what another one has taken over.
import { createHash, randomBytes } from "node:crypto"
import { constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { open, readdir, rename, rm, stat, utimes } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { sleep } from "./http.js"

const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8)
const aliveFor = 600_000
const touchEvery = 30_000
const pollEvery = 200
const ownedHere = new Set<string>()

/** A part that this process owns. Exactly one of `complete`, `release` and `discard` ends it. */
export class PartFile {
  /** Bytes that lay in the part when it was claimed. */
  readonly inherited: number
  readonly path: string
  readonly #folder: string
  readonly #etag: string
  readonly #name: string
  readonly #heartbeat: NodeJS.Timeout
  #handle: FileHandle | undefined

  constructor(folder: string, etag: string, name: string, handle: FileHandle, inherited: number) {
    this.#folder = folder
    this.#etag = etag
    this.#name = name
    this.#handle = handle
    this.inherited = inherited
    this.path = join(folder, name)
    this.#heartbeat = setInterval(() => void touch(this.path), touchEvery).unref()
  }

  /** Writes all of `bytes` at a place of the file. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle!.write(bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  }

  /** Forgets all bytes. A new file, not a truncated one: see the head of this file. */
  async restart(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
    await rm(this.path)
    this.#handle = await open(this.path, "wx")
  }

  /** Gives the part its final name, after its bytes have reached the disk. */
  async complete(target: string): Promise<void> {
    await this.#handle!.sync()
    await this.#end()
    await rename(this.path, target)
    ownedHere.delete(this.#name)
  }

  /** Leaves the bytes to the next pull. */
  async release(): Promise<void> {
    await this.#end()
    const idle = join(this.#folder, `${this.#etag}.cria.incomplete`)
    const [mine, theirs] = await Promise.all([sizeOf(this.path), sizeOf(idle)])
    if (mine > theirs) await rename(this.path, idle).catch(() => {})
    else await rm(this.path, { force: true })
    ownedHere.delete(this.#name)
  }

  /** Deletes the part. */
  async discard(): Promise<void> {
    await this.#end()
    await rm(this.path, { force: true })
    ownedHere.delete(this.#name)
  }

  async #end(): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#handle?.close().catch(() => {})
    this.#handle = undefined
  }
}

interface FoundPart {
  readonly name: string
  readonly size: number
  readonly alive: boolean
}

const pattern = /^([0-9a-f]+)\.cria(?:-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{12})?\.incomplete$/

/** The parts in a blobs folder, of one etag or of all. */
export async function findParts(folder: string, etag?: string): Promise<FoundPart[]> {
  const names = await readdir(folder).catch(() => [])
  const parts: FoundPart[] = []
  for (const name of names) {
    const match = pattern.exec(name)
    if (!match || (etag !== undefined && match[1] !== etag)) continue
    const info = await stat(join(folder, name)).catch(() => undefined)
    if (!info) continue
    const owned = match[2] !== undefined
    const fresh = Date.now() - info.mtimeMs < aliveFor
    const running = match[2] !== host || isRunning(Number(match[3]), name)
    parts.push({ name, size: info.size, alive: owned && (ownedHere.has(name) || (fresh && running)) })
  }
  return parts
}

function isRunning(pid: number, name: string): boolean {
  if (pid === process.pid) return ownedHere.has(name)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"
  }
}

/**
 * Claims the part of an etag, with what an earlier pull left of it; waits while another pull works on it.
 *
 * @returns undefined as soon as `isDone` says that the whole file is there.
 */
export async function claimPart(
  folder: string,
  etag: string,
  isDone: () => Promise<boolean>,
  onWait: () => void,
  signal: AbortSignal | undefined,
): Promise<PartFile | undefined> {
  for (;;) {
    signal?.throwIfAborted()
    if (await isDone()) return undefined
    const parts = await findParts(folder, etag)
    if (parts.some((part) => part.alive)) {
      onWait()
      await sleep(pollEvery, signal)
      continue
    }
    const part = await takeOver(folder, etag, parts)
    if (!part) continue
    // Whoever is seen here came first or at the same moment: step back, so that at most one goes on. And the
    // file may have been finished between the first look and the claim.
    const rivals = (await findParts(folder, etag)).filter(
      (other) => other.alive && join(folder, other.name) !== part.path,
    )
    if (rivals.length === 0 && !(await isDone())) return part
    await part.release()
    await sleep(pollEvery * Math.random(), signal)
  }
}

async function takeOver(folder: string, etag: string, parts: FoundPart[]): Promise<PartFile | undefined> {
  const name = `${etag}.cria-${host}-${process.pid}-${randomBytes(6).toString("hex")}.incomplete`
  const path = join(folder, name)
  const [largest, ...others] = parts.toSorted((a, b) => b.size - a.size)
  ownedHere.add(name)
  try {
    if (largest) await rename(join(folder, largest.name), path)
    const handle = await open(path, largest ? constants.O_RDWR : "wx")
    const { size } = await handle.stat()
    await touch(path)
    for (const other of others) await rm(join(folder, other.name), { force: true })
    return new PartFile(folder, etag, name, handle, size)
  } catch (error) {
    ownedHere.delete(name)
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined // another pull was faster
    throw error
  }
}

const touch = (path: string) => utimes(path, new Date(), new Date()).catch(() => {})
const sizeOf = (path: string) =>
  stat(path).then(
    (info) => info.size,
    () => 0,
  )
