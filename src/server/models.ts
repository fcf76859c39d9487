// The models of a server by name, and with each of their adapters by another: loaded when first asked for, put away by
// memory, the one longest unused first; never one that runs. Knows nothing of HTTP.
import type { Llama } from "../engine/llama.js"
import { InvalidOptionError } from "../errors/index.js"
import { ApiError } from "./api-error.js"

/** A model that is loaded when somebody asks for it. */
export interface ModelEntry {
  load(signal: AbortSignal): Promise<Llama>
  /** Bytes that it takes once loaded, where that is known before. */
  readonly memoryBytes?: number
  /** Names of the adapters that `load` loads with it. */
  readonly adapters?: readonly string[]
}

export interface ModelsOptions {
  /** Bytes that all loaded models together may take, caches included. Default: no limit. */
  readonly memoryBytes?: number
}

/** A model in use; it stays loaded until `release`. */
export interface Lease {
  readonly llama: Llama
  /** The adapter that the name stands for; undefined leaves it to the model. */
  readonly adapter: string | undefined
  readonly release: () => void
}

/** What a server offers under one name. */
export interface Offer {
  readonly name: string
  /** Since when, in seconds since 1970. */
  readonly created: number
  /** Where it is loaded. */
  readonly llama: Llama | undefined
  /** The name of the model that this is with an adapter. */
  readonly base: string | undefined
}

interface Slot {
  readonly name: string
  readonly entry: ModelEntry | undefined
  readonly created: number
  llama: Llama | undefined
  loading: Promise<Llama> | undefined
  users: number
  lastUsed: number
}

export class Models {
  readonly #slots: readonly Slot[]
  readonly #names = new Map<string, { readonly slot: Slot; readonly adapter?: string }>()
  readonly #memoryBytes: number
  readonly #disposal = new AbortController()
  /** Loads happen one after the other, so that each knows what memory is left. */
  #lastLoad: Promise<unknown> = Promise.resolve()
  #clock = 0

  /**
   * Models by the names that clients use; a loaded one is never put away, it belongs to the caller. An adapter of a model
   * is a model of its own for clients, `name:adapter`.
   *
   * @throws InvalidOptionError where two come to the same name.
   */
  constructor(models: Readonly<Record<string, Llama | ModelEntry>>, options: ModelsOptions = {}) {
    this.#memoryBytes = options.memoryBytes ?? Number.POSITIVE_INFINITY
    const created = Math.floor(Date.now() / 1000)
    this.#slots = Object.entries(models).map(([name, model]): Slot => {
      const given = "load" in model
      const slot = {
        name,
        entry: given ? model : undefined,
        llama: given ? undefined : model,
        created,
        loading: undefined,
        users: 0,
        lastUsed: 0,
      }
      this.#offer(name, slot)
      const adapters = given ? model.adapters : model.info.adapters
      for (const adapter of adapters ?? []) this.#offer(`${name}:${adapter}`, slot, adapter)
      return slot
    })
  }

  #offer(name: string, slot: Slot, adapter?: string): void {
    if (this.#names.has(name))
      throw new InvalidOptionError(
        `two models, or a model and an adapter, are called ${JSON.stringify(name)}`,
      )
    this.#names.set(name, { slot, adapter })
  }

  /** All that is offered; models come before their adapters. */
  offers(): Offer[] {
    return [...this.#names].map(([name, { slot, adapter }]) => {
      const { created, llama } = slot
      return { name, created, llama, base: adapter === undefined ? undefined : slot.name }
    })
  }

  /** @throws ApiError 404 for an unknown name. */
  check(name: string): void {
    if (!this.#names.has(name)) throw modelNotFound(name, [...this.#names.keys()])
  }

  /**
   * The model of that name, loaded where it is not yet.
   * @throws ApiError 404 for an unknown name, 503 where the memory is taken by models that run; what `load` throws;
   *   the signal's reason, while the load goes on for the next who asks.
   */
  async lease(name: string, signal: AbortSignal): Promise<Lease> {
    this.check(name)
    const { slot, adapter } = this.#names.get(name)!
    slot.users++
    let released = false
    const release = () => {
      if (released) return
      released = true
      slot.users--
      slot.lastUsed = ++this.#clock
    }
    try {
      const llama = slot.llama ?? (await unlessAborted(this.#loading(slot), signal))
      return { llama, adapter, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Ends the models that this object loaded. */
  async dispose(): Promise<void> {
    this.#disposal.abort(new ApiError(503, "the server is shutting down", { code: "shutting_down" }))
    await this.#lastLoad.catch(() => {})
    const loaded = this.#slots.filter((slot) => slot.entry && slot.llama)
    await Promise.all(loaded.map((slot) => this.#unload(slot)))
  }

  #loading(slot: Slot): Promise<Llama> {
    slot.loading ??= this.#load(slot).finally(() => {
      slot.loading = undefined
    })
    return slot.loading
  }

  #load(slot: Slot): Promise<Llama> {
    const load = this.#lastLoad.then(async () => {
      this.#disposal.signal.throwIfAborted()
      await this.#makeRoom(slot.entry?.memoryBytes ?? 0)
      const llama = await slot.entry!.load(this.#disposal.signal)
      slot.llama = llama
      await this.#makeRoom(0, slot)
      return llama
    })
    this.#lastLoad = load.catch(() => {})
    return load
  }

  /** Puts idle models away until so many bytes fit beside the others. */
  async #makeRoom(bytes: number, except?: Slot): Promise<void> {
    for (;;) {
      const loaded = this.#slots.filter((slot) => slot.llama !== undefined)
      const taken = loaded.reduce((sum, { llama }) => sum + bytesOf(llama!), 0)
      if (taken + bytes <= this.#memoryBytes || loaded.length === 0) return
      const [oldest] = loaded
        .filter((slot) => slot !== except && slot.users === 0 && slot.entry)
        .toSorted((a, b) => a.lastUsed - b.lastUsed)
      if (oldest) await this.#unload(oldest)
      else if (except)
        return // it is loaded already, and all others are at work
      else
        throw new ApiError(503, "no memory for this model while the others run: ask again later", {
          code: "model_loading",
          retryAfter: 5,
        })
    }
  }

  async #unload(slot: Slot): Promise<void> {
    const llama = slot.llama
    slot.llama = undefined
    await llama?.dispose()
  }
}

const bytesOf = ({ info }: Llama): number => info.weightBytes + info.cacheBytes

export const modelNotFound = (name: string, known: readonly string[]): ApiError =>
  new ApiError(
    404,
    `there is no model "${name.slice(0, 200)}" here; this server has ${known.slice(0, 20).join(", ") || "none"}`,
    { param: "model", code: "model_not_found" },
  )

/** Waits for a promise, but no longer than until the signal says stop. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener("abort", stop)
  })
  promise.catch(() => {}) // the load may fail after nobody waits for it any more
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener("abort", stop)
  }
}
