// The store's side in a worker, where files can be written in place: downloads that go on where they stopped, copies
// of the user's files, and the check of what lies there.
import { toErrorData } from "../engine/error-data.js"
import {
  CriaError,
  HubError,
  InvalidFileError,
  ModelNotFoundError,
  StorageFullError,
} from "../errors/index.js"
import { Sha256 } from "./sha256.js"
import {
  folderName,
  type Manifest,
  manifestName,
  readManifest,
  type StoredFile,
  storeRoot,
} from "./store-format.js"
import { type FromStoreWorker, type StoreJob, storeJob } from "./store-jobs.js"

/** Exists in workers only; TypeScript's list of types for pages leaves it out. */
interface AccessHandle {
  getSize(): number
  read(into: Uint8Array, options: { at: number }): number
  write(bytes: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  close(): void
}

type Tell = (message: FromStoreWorker) => void

const chunkBytes = 4 * 2 ** 20
const progressInterval = 100
const maxTries = 5

/** Does a job and tells how it went; never rejects. */
export async function runStoreJob(message: unknown, tell: Tell): Promise<void> {
  try {
    const job: StoreJob = storeJob.parse(message)
    const name = job.type === "verify" ? job.name : job.manifest.name
    // two tabs do not write one file; the second finds the work done
    await navigator.locks.request(`cria-model ${name}`, () => new Job(name, tell).run(job))
    tell({ type: "done" })
  } catch (error) {
    tell({ type: "failed", error: toErrorData(typed(error)) })
  }
}

/** The browser's own errors as ours. */
function typed(error: unknown): unknown {
  if (error instanceof CriaError || !(error instanceof DOMException)) return error
  if (error.name === "QuotaExceededError")
    return new StorageFullError("this browser grants no more room for models: remove one, or free disk space")
  if (error.name === "NoModificationAllowedError")
    return new CriaError("busy", "another tab works on this model: close it or wait")
  return new CriaError("storage", `this browser's storage failed: ${error.message}`)
}

class Job {
  readonly #name: string
  readonly #tell: Tell
  #folder!: FileSystemDirectoryHandle
  #told = 0
  /** Bytes of files before the one at work. */
  #before = 0
  #total: number | undefined

  constructor(name: string, tell: Tell) {
    this.#name = name
    this.#tell = tell
  }

  async run(job: StoreJob): Promise<void> {
    const root = await storeRoot()
    const create = job.type !== "verify"
    try {
      this.#folder = await root.getDirectoryHandle(folderName(this.#name), { create })
    } catch (error) {
      if (create) throw error
      throw new ModelNotFoundError(`no model ${this.#name} is kept in this browser`, { cause: error })
    }
    const known = await readManifest(this.#folder)
    if (job.type === "verify") return this.#verify(known)
    const plan = merged(job.manifest, known)
    this.#total = plan.files.every(({ size }) => size !== undefined)
      ? plan.files.reduce((sum, { size }) => sum + size!, 0)
      : undefined
    await this.#save(plan)
    for (const [i, file] of plan.files.entries()) {
      if (!file.complete) {
        const fetched =
          job.type === "add" ? await this.#copy(file, job.blobs[i]) : await this.#download(file, plan)
        Object.assign(file, fetched, { complete: true })
        await this.#save(plan)
      }
      this.#before += file.size!
    }
  }

  async #verify(known: Manifest | undefined): Promise<void> {
    if (!known)
      throw new InvalidFileError(`${this.#name}: its manifest is gone: remove the model and fetch it again`)
    this.#total = known.files.reduce((sum, { size = 0 }) => sum + size, 0)
    for (const file of known.files) {
      const handle = await this.#open(file.name)
      try {
        const hash = this.#hashOf(handle, file.name)
        if (!file.complete || handle.getSize() !== file.size || hash.digest() !== file.sha256)
          throw new InvalidFileError(`${file.name} of ${this.#name} is not what was stored: fetch it again`)
      } finally {
        handle.close()
      }
      this.#before += file.size
    }
  }

  async #copy(file: StoredFile, blob: Blob): Promise<Partial<StoredFile>> {
    const handle = await this.#open(file.name)
    try {
      handle.truncate(0)
      const hash = new Sha256()
      for (let at = 0; at < blob.size; at += chunkBytes) {
        const bytes = new Uint8Array(await blob.slice(at, at + chunkBytes).arrayBuffer())
        this.#write(handle, bytes, at)
        hash.update(bytes)
        this.#progress(file.name, at + bytes.length)
      }
      handle.flush()
      return { size: blob.size, sha256: hash.digest() }
    } finally {
      handle.close()
    }
  }

  /** Fetches what is missing of a file and checks the whole. */
  async #download(file: StoredFile, plan: Manifest): Promise<Partial<StoredFile>> {
    const handle = await this.#open(file.name)
    try {
      const state: Transfer = { handle, file, at: handle.getSize(), hash: this.#hashOf(handle, file.name) }
      for (let tries = 1; ; tries++) {
        const before = state.at
        try {
          await this.#transfer(state, plan)
          break
        } catch (error) {
          if (!(error instanceof Interruption)) throw error
          if (state.at > before) tries = 1
          if (tries === maxTries) throw new HubError(error.message, { cause: error.cause })
          await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** tries))
        }
      }
      handle.flush()
      const sha256 = state.hash.digest()
      if (file.sha256 !== undefined && file.sha256 !== sha256) {
        handle.truncate(0)
        throw new InvalidFileError(
          `${file.url} has the SHA-256 ${sha256}, expected was ${file.sha256}: the download was thrown away`,
        )
      }
      return { size: state.at, sha256 }
    } finally {
      handle.close()
    }
  }

  /** One request, from where the file ends; Interruption where another may get further. */
  async #transfer(state: Transfer, plan: Manifest): Promise<void> {
    const { file } = state
    const url = file.url!
    const response = await fetch(url, { headers: { range: `bytes=${state.at}-` } }).catch(
      (error: unknown) => {
        throw new Interruption(
          `${url} cannot be fetched: the network is down, or the server forbids it (CORS)`,
          {
            cause: error,
          },
        )
      },
    )
    const { status } = response
    if (status === 416 && state.at > 0 && state.at === file.size) return
    if (status >= 500 || status === 429)
      throw new Interruption(`${url}: the server answers with HTTP ${status}`)
    if (status === 404) throw new ModelNotFoundError(`${url} does not exist (HTTP 404)`)
    if (status === 416) return this.#startOver(state, plan)
    if (!response.ok || !response.body)
      throw new HubError(`${url}: the server answers with HTTP ${status}`, { status })
    const etag = response.headers.get("etag") ?? undefined
    if (status === 206 && state.at > 0 && file.etag !== undefined && etag !== file.etag) {
      await response.body.cancel()
      return this.#startOver(state, plan)
    }
    if (status !== 206) this.#rewind(state)
    const length = Number(response.headers.get("content-length") ?? Number.NaN)
    const encoded = response.headers.has("content-encoding")
    const size = encoded || Number.isNaN(length) ? file.size : state.at + length
    if (etag !== file.etag || size !== file.size) {
      Object.assign(file, { etag, size })
      await this.#save(plan)
    }
    await checkRoom((size ?? 0) - state.at)
    await this.#receive(state, response.body, size)
  }

  async #receive(state: Transfer, body: ReadableStream<Uint8Array>, size: number | undefined): Promise<void> {
    const { handle, hash, file } = state
    const reader = body.getReader()
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new Interruption(`${file.url} broke off at byte ${state.at}`, { cause: error })
      })
      if (done) break
      this.#write(handle, value, state.at)
      hash.update(value)
      state.at += value.length
      this.#progress(file.name, state.at)
    }
    if (size !== undefined && state.at < size)
      throw new Interruption(`${file.url} ended at byte ${state.at} of ${size}`)
  }

  /** The file on the server is another one now. */
  async #startOver(state: Transfer, plan: Manifest): Promise<void> {
    this.#rewind(state)
    Object.assign(state.file, { etag: undefined, size: undefined })
    return this.#transfer(state, plan)
  }

  #rewind(state: Transfer): void {
    state.handle.truncate(0)
    Object.assign(state, { at: 0, hash: new Sha256() })
  }

  #hashOf(handle: AccessHandle, file: string): Sha256 {
    const hash = new Sha256()
    const size = handle.getSize()
    const buffer = new Uint8Array(Math.min(size, chunkBytes))
    for (let at = 0; at < size; ) {
      const count = handle.read(buffer, { at })
      hash.update(buffer.subarray(0, count))
      at += count
      this.#progress(file, at)
    }
    return hash
  }

  #write(handle: AccessHandle, bytes: Uint8Array, at: number): void {
    const written = handle.write(bytes, { at })
    if (written < bytes.length) throw new DOMException("a write was cut short", "QuotaExceededError")
  }

  async #open(name: string): Promise<AccessHandle> {
    const file = await this.#folder.getFileHandle(encodeURIComponent(name), { create: true })
    return (file as unknown as { createSyncAccessHandle(): Promise<AccessHandle> }).createSyncAccessHandle()
  }

  async #save(plan: Manifest): Promise<void> {
    const handle = await this.#open(manifestName)
    try {
      const bytes = new TextEncoder().encode(JSON.stringify(plan))
      handle.truncate(0)
      this.#write(handle, bytes, 0)
      handle.flush()
    } finally {
      handle.close()
    }
  }

  #progress(file: string, loaded: number): void {
    const now = performance.now()
    if (now - this.#told < progressInterval) return
    this.#told = now
    this.#tell({ type: "progress", file, loaded: this.#before + loaded, total: this.#total })
  }
}

/** A request that did not bring all, though a further one may. */
class Interruption extends Error {}

interface Transfer {
  readonly handle: AccessHandle
  readonly file: StoredFile
  /** Bytes there, and their hash so far. */
  at: number
  hash: Sha256
}

/** The plan with what is known of the same files from before. */
function merged(plan: Manifest, known: Manifest | undefined): Manifest {
  if (!known || plan.url === undefined || known.url !== plan.url) return plan
  const files = plan.files.map((file) => {
    const before = known.files.find(({ name, url }) => name === file.name && url === file.url)
    if (!before || (before.complete && file.sha256 !== undefined && file.sha256 !== before.sha256))
      return file
    return before.complete ? before : { ...file, etag: before.etag, size: before.size ?? file.size }
  })
  return { ...plan, files }
}

async function checkRoom(bytes: number): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate()
  if (quota === undefined || usage === undefined || quota - usage >= bytes) return
  throw new StorageFullError(
    `${bytes} bytes are still to be fetched, but this browser grants only ${quota - usage} more: remove a model, or ` +
      "free disk space",
  )
}
