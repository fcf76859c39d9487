// One request at work: its place in line, its model, and the signal that ends it when the client leaves or the
// server stops. Also where time to the first token and tokens are counted.
import type { Llama } from "../engine/llama.js"
import { clientGone } from "./api-error.js"
import type { Gate } from "./gate.js"
import type { Metrics } from "./metrics.js"
import type { Lease, Models } from "./models.js"
import type { Limits } from "./read-body.js"
import type { ResponseStore } from "./response-store.js"

/** What the routes share. */
export interface ServerContext {
  readonly models: Models
  readonly gate: Gate
  readonly metrics: Metrics
  readonly limits: Limits
  readonly responses: ResponseStore
  /** What runs or waits, to be ended at once when the server has to. */
  readonly active: Set<AbortController>
  /** What the log says of a request, for the route to fill in; it is written once `done` has resolved. */
  note(request: Request, facts: RequestFacts, done?: Promise<void>): void
}

export interface RequestFacts {
  model?: string
  promptTokens?: number
  completionTokens?: number
  firstTokenMilliseconds?: number
  /** The client left, or the server stopped, before the end. */
  aborted?: boolean
}

const firstTokenHelp = "Seconds from a request's arrival to its first token, time in line included"

export class Work {
  readonly llama: Llama
  readonly model: string
  /** The adapter that the model's name stands for, as the engine's options take it. */
  readonly adapter: string | undefined
  readonly #context: ServerContext
  readonly #request: Request | undefined
  readonly #abort: AbortController
  readonly #leave: () => void
  readonly #start: number
  #first = true

  private constructor(
    context: ServerContext,
    model: string,
    { llama, adapter }: Lease,
    parts: { abort: AbortController; leave: () => void; start: number; request: Request | undefined },
  ) {
    this.#context = context
    this.model = model
    this.llama = llama
    this.adapter = adapter
    this.#abort = parts.abort
    this.#leave = parts.leave
    this.#start = parts.start
    this.#request = parts.request
  }

  /**
   * Waits for a place and for the model. Without a request (in the background) `signal` ends it, and the server.
   * @throws ApiError; 499 where the client left meanwhile.
   */
  static async begin(
    context: ServerContext,
    model: string,
    answers: number,
    request?: Request,
    signal: AbortSignal | undefined = request?.signal,
  ): Promise<Work> {
    const start = performance.now()
    const abort = new AbortController()
    const onClient = () => abort.abort(request ? clientGone() : signal?.reason)
    const unlisten = () => {
      signal?.removeEventListener("abort", onClient)
      context.active.delete(abort)
    }
    if (signal?.aborted) onClient()
    signal?.addEventListener("abort", onClient, { once: true })
    context.active.add(abort)
    let leave = unlisten
    try {
      context.models.check(model) // refused before it waits
      const exit = await context.gate.enter(answers, abort.signal)
      leave = () => {
        unlisten()
        exit()
      }
      const lease = await context.models.lease(model, abort.signal)
      let finish = () => {}
      const ended = new Promise<void>((resolve) => {
        finish = resolve
      })
      const done = () => {
        lease.release()
        unlisten()
        exit()
        if (request && abort.signal.aborted) context.note(request, { aborted: true })
        finish()
      }
      if (request) context.note(request, { model }, ended)
      return new Work(context, model, lease, { abort, leave: done, start, request })
    } catch (error) {
      leave()
      throw error
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Ends the generation early. */
  abort(reason: unknown = clientGone()): void {
    this.#abort.abort(reason)
  }

  /** Called with every piece; the first one is timed. */
  onPiece(): void {
    if (!this.#first) return
    this.#first = false
    const milliseconds = performance.now() - this.#start
    const labels = { model: this.model }
    this.#context.metrics.observe(
      "cria_time_to_first_token_seconds",
      firstTokenHelp,
      milliseconds / 1000,
      labels,
    )
    if (this.#request) this.#context.note(this.#request, { firstTokenMilliseconds: milliseconds })
  }

  /** The counts of a finished request. */
  report(promptTokens: number, completionTokens: number): void {
    if (this.#request) this.#context.note(this.#request, { promptTokens, completionTokens })
  }

  /** Gives the place and the model back. Call it once, whatever happened. */
  end(): void {
    this.#leave()
  }
}
