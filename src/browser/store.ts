// Models kept in this browser: in the origin's private file system, in a folder of their own. What takes long runs in
// a worker; the page can be closed in the middle and goes on later.
import { fromErrorData } from "../engine/error-data.js"
import type { LoadProgress } from "../engine/link.js"
import {
  CriaError,
  EngineCrashedError,
  InvalidFileError,
  ModelNotFoundError,
  UnsupportedError,
} from "../errors/index.js"
import { absoluteUrl } from "./address.js"
import { folderName, type Manifest, readManifest, type StoredFile, storeRoot } from "./store-format.js"
import type { FromStoreWorker, StoreJob } from "./store-jobs.js"
import { filesOfModel } from "./url-folder.js"
import { spawnPageWorker } from "./page-worker.js"

export interface StoredModel {
  /** What `Llama.load` takes after "opfs:". */
  readonly name: string
  /** Where it came from, where it came from a server. */
  readonly url: string | undefined
  readonly files: readonly string[]
  /** Bytes in the store, and in all where that is known. */
  readonly bytes: number
  readonly totalBytes: number | undefined
  /** Whether it is all there; `download` with the same URL goes on where it stopped. */
  readonly complete: boolean
  readonly added: Date | undefined
}

export interface StoreOptions {
  /** Default: the file's. */
  name?: string
  onProgress?: (progress: LoadProgress) => void
  /** Stops; what was fetched stays, so that it can go on later. */
  signal?: AbortSignal
}

export interface DownloadOptions extends StoreOptions {
  /** What the file must hash to, in hexadecimal. For models of a single file. */
  sha256?: string
}

export class ModelStore {
  private constructor(private readonly root: FileSystemDirectoryHandle) {}

  /** @throws UnsupportedError where the browser has no such storage, or the page is not served over https. */
  static async open(): Promise<ModelStore> {
    const storage = (globalThis.navigator as { storage?: StorageManager } | undefined)?.storage
    if (typeof storage?.getDirectory !== "function")
      throw new UnsupportedError(
        "this browser keeps no models: it has no private file system, or this page came neither by https nor from localhost",
      )
    return new ModelStore(await storeRoot())
  }

  /** What is kept, whole or in part. */
  async list(): Promise<StoredModel[]> {
    const models: StoredModel[] = []
    for await (const [key, handle] of this.root) {
      if (handle.kind !== "directory" || !key.startsWith("m-")) continue
      models.push(await describe(decodeURIComponent(key.slice(2)), handle, await readManifest(handle)))
    }
    return models.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /**
   * Fetches the model at a URL, or what is missing of it, and checks sizes and, where it is known, the hash.
   *
   * @throws StorageFullError, HubError, ModelNotFoundError, InvalidFileError, or the signal's reason.
   */
  async download(url: string | URL, options: DownloadOptions = {}): Promise<StoredModel> {
    options.signal?.throwIfAborted()
    const address = absoluteUrl(url)
    const found = await filesOfModel(address)
    if (options.sha256 !== undefined && found.files.length === 1)
      Object.assign(found.files[0], { sha256: options.sha256.toLowerCase() })
    const name = options.name ?? found.name
    const files = found.files.map((file): StoredFile => ({ ...file, complete: false }))
    // asked of the user by some browsers; without it the browser may drop models when the disk gets full
    await navigator.storage.persist?.()
    const manifest = { name, url: address, added: new Date().toISOString(), files }
    await run({ type: "download", manifest }, options)
    return this.#get(name)
  }

  /** Keeps files of the user: one model. */
  async add(files: Iterable<File>, options: StoreOptions = {}): Promise<StoredModel> {
    const blobs = [...files]
    const name = options.name ?? blobs[0]?.name ?? ""
    folderName(name)
    await navigator.storage.persist?.()
    const manifest = {
      name,
      added: new Date().toISOString(),
      files: blobs.map((file) => ({ name: file.name, size: file.size, complete: false })),
    }
    await run({ type: "add", manifest, blobs }, options)
    return this.#get(name)
  }

  /** Reads a model and compares it with the hashes of when it came. @throws InvalidFileError where it is damaged. */
  async verify(name: string, options: Omit<StoreOptions, "name"> = {}): Promise<void> {
    await run({ type: "verify", name }, options)
  }

  /** The files of a model that is all there, sizes checked. @throws ModelNotFoundError, InvalidFileError. */
  async files(name: string): Promise<File[]> {
    const folder = await this.#folder(name)
    const manifest = await readManifest(folder)
    if (!manifest?.files.every(({ complete }) => complete))
      throw new InvalidFileError(
        `the model ${name} is not all there: download it again to go on where it stopped`,
      )
    return Promise.all(
      manifest.files.map(async (entry) => {
        const file = await (await folder.getFileHandle(encodeURIComponent(entry.name))).getFile()
        if (file.size !== entry.size)
          throw new InvalidFileError(
            `${entry.name} of the kept model ${name} has ${file.size} bytes instead of ${entry.size}: remove the model and fetch it again`,
          )
        return new File([file], entry.name)
      }),
    )
  }

  /** @throws ModelNotFoundError; CriaError "busy" while another tab writes it. */
  async remove(name: string): Promise<void> {
    await this.#folder(name)
    try {
      await this.root.removeEntry(folderName(name), { recursive: true })
    } catch (error) {
      if (error instanceof DOMException && error.name === "NoModificationAllowedError")
        throw new CriaError("busy", `the model ${name} is in use: stop what loads it`, { cause: error })
      throw error
    }
  }

  /** Bytes of this origin, bytes it may still take, and whether the browser promises to keep them. */
  async space(): Promise<{ used: number; available: number; persistent: boolean }> {
    const { usage = 0, quota = 0 } = await navigator.storage.estimate()
    const persistent = (await navigator.storage.persisted?.()) ?? false
    return { used: usage, available: Math.max(0, quota - usage), persistent }
  }

  async #get(name: string): Promise<StoredModel> {
    const folder = await this.#folder(name)
    return describe(name, folder, await readManifest(folder))
  }

  async #folder(name: string): Promise<FileSystemDirectoryHandle> {
    try {
      return await this.root.getDirectoryHandle(folderName(name))
    } catch (error) {
      throw new ModelNotFoundError(`no model ${name} is kept in this browser`, { cause: error })
    }
  }
}

async function describe(
  name: string,
  folder: FileSystemDirectoryHandle,
  manifest: Manifest | undefined,
): Promise<StoredModel> {
  const sizes = (manifest?.files ?? []).map(async (file) => {
    try {
      return (await (await folder.getFileHandle(encodeURIComponent(file.name))).getFile()).size
    } catch {
      return 0 // not begun yet
    }
  })
  const known = manifest?.files.every(({ size }) => size !== undefined)
  return {
    name,
    url: manifest?.url,
    files: manifest?.files.map((file) => file.name) ?? [],
    bytes: (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0),
    totalBytes: known ? manifest?.files.reduce((sum, { size }) => sum + size!, 0) : undefined,
    complete: manifest?.files.every(({ complete }) => complete) ?? false,
    added: manifest && new Date(manifest.added),
  }
}

/** Has a worker of its own do a job. */
async function run(job: StoreJob, { onProgress, signal }: StoreOptions): Promise<void> {
  signal?.throwIfAborted()
  const worker = spawnPageWorker("cria-store")
  let stop = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      stop = () => reject(signal!.reason as Error)
      signal?.addEventListener("abort", stop)
      worker.onError((error) => reject(new EngineCrashedError(`the store's worker failed: ${error.message}`)))
      worker.onMessage((data) => {
        const message = data as FromStoreWorker
        if (message.type === "done") resolve()
        else if (message.type === "failed") reject(fromErrorData(message.error))
        else
          onProgress?.({
            stage: "download",
            loaded: message.loaded,
            total: message.total,
            file: message.file,
          })
      })
      worker.post({ type: "store", job })
    })
  } finally {
    signal?.removeEventListener("abort", stop)
    await worker.terminate()
  }
}
