// The caller's side of an engine: keeps the books of what runs, and starts the engine again after a crash.
import { DisposedError, EngineCrashedError, OutOfMemoryError } from "../errors/index.js"
import { fromErrorData } from "./error-data.js"
import type { Link, LoadedModel, LoadProgress, OpenLink } from "./link.js"
import type { Piece } from "./options.js"
import { PieceQueue } from "./piece-queue.js"
import type { Command, EngineEvent, EngineStats, GenerateRequest } from "./protocol.js"

/** Pieces that the engine may be ahead of the one who takes them, for n answers. */
const windowFor = (n: number): number => 192 + 64 * n

interface LoadHooks {
  readonly onProgress?: (progress: LoadProgress) => void
  readonly signal?: AbortSignal
}

/** A request that is in the books. */
interface Run {
  readonly id: number
  post(command: Command): void
  /** Waits for something that the request brings. */
  wait<T>(promise: Promise<T>): Promise<T>
  /** Drops the request if it has not ended; `atOnce` in the middle of a step, where that step may be long. */
  stop(atOnce: boolean): void
}

/** Who waits for a request. */
interface Receiver {
  pieces?(pieces: readonly Piece[]): void
  rows?(first: number, logits: Float32Array): void
  stats?(stats: EngineStats): void
  end(): void
  fail(error: unknown): void
}

export class EngineClient {
  readonly #open: OpenLink
  #link: Link | undefined
  #opening: Promise<Link> | undefined
  /** Ends a load that is under way when the client is disposed. */
  readonly #disposal = new AbortController()
  readonly #receivers = new Map<number, Receiver>()
  #ids = 0
  /** Callers who wait for something of the engine at this moment. */
  #waiting = 0

  private constructor(open: OpenLink) {
    this.#open = open
  }

  /** Loads the model. */
  static async open(
    open: OpenLink,
    options: LoadHooks = {},
  ): Promise<{ client: EngineClient; loaded: LoadedModel }> {
    const client = new EngineClient(open)
    const { loaded } = await client.#connect(options)
    return { client, loaded }
  }

  /** Pieces of all answers, in groups as they come. Ending the iteration early cancels the request. */
  async *generate(
    request: Omit<GenerateRequest, "credit">,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Piece[], void, void> {
    const queue = new PieceQueue()
    const credit = windowFor(request.n)
    const command = (id: number): Command => ({ type: "generate", id, request: { ...request, credit } })
    const run = await this.#start(command, signal, {
      pieces: (pieces) => queue.push(pieces),
      end: () => queue.end(),
      fail: (error) => queue.fail(error),
    })
    try {
      let taken = 0
      for (let pieces = await run.wait(queue.next()); pieces; pieces = await run.wait(queue.next())) {
        taken += pieces.length
        if (taken >= credit / 2 && !queue.ended) {
          run.post({ type: "grant", id: run.id, credit: taken })
          taken = 0
        }
        yield pieces
      }
    } finally {
      run.stop(!queue.started)
    }
  }

  /** Logits [ids.length, vocabularySize]. */
  async score(
    ids: Int32Array,
    firstPosition: number,
    vocabularySize: number,
    adapter?: string,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const logits = logitsMemory(ids.length, vocabularySize)
    const { promise, receiver } = awaited<void>()
    const rows = (first: number, values: Float32Array) => logits.set(values, first * vocabularySize)
    const command = (id: number): Command => ({ type: "score", id, ids, firstPosition, adapter })
    const run = await this.#start(command, signal, { ...receiver, rows, end: receiver.done })
    try {
      await run.wait(promise)
    } finally {
      run.stop(true)
    }
    return logits
  }

  /** The mean of the hidden states of a text [D], of length 1. */
  async embed(ids: Int32Array, adapter?: string, signal?: AbortSignal): Promise<Float32Array> {
    const { promise, receiver } = awaited<Float32Array>()
    let vector = new Float32Array()
    const rows = (_: number, values: Float32Array) => void (vector = Float32Array.from(values))
    const command = (id: number): Command => ({ type: "embed", id, ids, adapter })
    const end = () => receiver.done(vector)
    const run = await this.#start(command, signal, { ...receiver, rows, end })
    try {
      return await run.wait(promise)
    } finally {
      run.stop(true)
    }
  }

  async stats(): Promise<EngineStats> {
    const { promise, receiver } = awaited<EngineStats>()
    const command = (id: number): Command => ({ type: "stats", id })
    const run = await this.#start(command, undefined, { ...receiver, stats: receiver.done, end: () => {} })
    return run.wait(promise)
  }

  /** Ends everything; what runs fails with DisposedError. */
  async dispose(): Promise<void> {
    this.#disposal.abort(new DisposedError())
    const link = this.#link
    this.#link = undefined
    this.#failAll(new DisposedError())
    await Promise.all([link?.close(), this.#opening?.catch(() => {})])
  }

  /** Enters a request in the books and sends it. */
  async #start(
    make: (id: number) => Command,
    signal: AbortSignal | undefined,
    receiver: Receiver,
  ): Promise<Run> {
    signal?.throwIfAborted()
    const link = this.#link ?? (await unlessAborted(this.#connect(), signal))
    signal?.throwIfAborted() // an abort while the link was at hand already has lost the race
    this.#disposal.signal.throwIfAborted()
    if (this.#link !== link)
      throw new EngineCrashedError("the engine ended before it took the request: ask again")
    const id = this.#ids++
    const isCurrent = () => this.#link === link
    const post = (command: Command) => {
      if (isCurrent()) link.post(command)
    }
    const forget = () => {
      if (!this.#receivers.delete(id)) return false
      signal?.removeEventListener("abort", abort)
      return true
    }
    const stop = (atOnce: boolean) => {
      if (!forget() || !isCurrent()) return
      link.post({ type: "cancel", id })
      const { interrupt } = link.loaded
      if (atOnce && interrupt) Atomics.store(interrupt, 0, 1)
    }
    const abort = () => {
      stop(true)
      receiver.fail(signal?.reason)
    }
    this.#receivers.set(id, {
      ...receiver,
      stats: (stats) => {
        forget()
        receiver.stats?.(stats)
      },
      end: () => {
        forget()
        receiver.end()
      },
      fail: (error) => {
        forget()
        receiver.fail(error)
      },
    })
    signal?.addEventListener("abort", abort)
    post(make(id))
    return { id, post, stop, wait: (promise) => this.#wait(promise) }
  }

  /** Keeps the process alive while somebody waits, and no longer: an iteration may be left lying around. */
  async #wait<T>(promise: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#link?.keepAlive(true)
    try {
      return await promise
    } finally {
      if (--this.#waiting === 0) this.#link?.keepAlive(false)
    }
  }

  /** The engine's link: a new one at first, and after a crash. */
  async #connect(options: LoadHooks = {}): Promise<Link> {
    this.#disposal.signal.throwIfAborted()
    if (this.#link) return this.#link
    this.#opening ??= this.#openLink(options).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openLink({ onProgress, signal }: LoadHooks): Promise<Link> {
    const disposal = this.#disposal.signal
    const link: Link = await this.#open(
      {
        onEvent: (event) => this.#receive(event),
        onCrash: (error) => {
          if (this.#link !== link) return
          this.#link = undefined
          this.#failAll(error)
        },
      },
      { onProgress, signal: signal ? AbortSignal.any([disposal, signal]) : disposal },
    )
    if (disposal.aborted) {
      await link.close()
      throw disposal.reason
    }
    link.keepAlive(this.#waiting > 0)
    this.#link = link
    return link
  }

  #receive(event: EngineEvent): void {
    if (event.type === "stats") return this.#receivers.get(event.id)?.stats?.(event.stats)
    for (const [id, pieces] of event.pieces) this.#receivers.get(id)?.pieces?.(pieces)
    for (const [id, first, logits] of event.rows) this.#receivers.get(id)?.rows?.(first, logits)
    for (const id of event.ended) this.#receivers.get(id)?.end()
    for (const [id, error] of event.failed) this.#receivers.get(id)?.fail(fromErrorData(error))
  }

  #failAll(error: Error): void {
    for (const receiver of this.#receivers.values()) receiver.fail(error)
  }
}

/** A promise, and the ends of it that a receiver holds. It may fail before anybody waits for it. */
function awaited<T>() {
  let receiver!: { done: (value: T) => void; fail: (error: unknown) => void }
  const promise = new Promise<T>((resolve, reject) => {
    receiver = { done: resolve, fail: reject }
  })
  promise.catch(() => {})
  return { promise, receiver }
}

function logitsMemory(rows: number, vocabularySize: number): Float32Array {
  try {
    return new Float32Array(rows * vocabularySize)
  } catch (error) {
    throw new OutOfMemoryError(
      `the logits of ${rows} tokens take ${rows * vocabularySize * 4} bytes: ask for fewer tokens at a time`,
      { cause: error },
    )
  }
}

/** Waits for a promise, but no longer than until the signal says stop. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener("abort", stop)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener("abort", stop)
  }
}
