// The life of the process: what is to be undone at its end, and what Ctrl-C means meanwhile. Everything that
// must not be left behind (a loaded model, a half-written file, a terminal in raw mode) registers here.

/** Why everything stops: a signal (exit code 128 plus its number), or nobody reads the output any more (0). */
export class Interrupted extends Error {
  readonly exitCode: number
  constructor(cause: keyof typeof causes) {
    super(`stopped by ${cause}`)
    this.name = "Interrupted"
    this.exitCode = causes[cause]
  }
}

const causes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, EPIPE: 0 } as const

type Cleanup = () => void | Promise<void>

export class Lifetime {
  readonly #controller = new AbortController()
  readonly #cleanups: Cleanup[] = []
  readonly #handlers: (() => void)[] = []
  #terminate: ((cause: "SIGINT" | "SIGTERM" | "SIGHUP") => void) | undefined
  #closing: Promise<void> | undefined

  /** Aborted with an `Interrupted` when the process is asked to end. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Registers what has to be done at the end, last first. Returns how to take it back. */
  defer(cleanup: Cleanup): () => void {
    this.#cleanups.push(cleanup)
    return () => {
      const at = this.#cleanups.indexOf(cleanup)
      if (at >= 0) this.#cleanups.splice(at, 1)
    }
  }

  /** While registered, the latest handler receives SIGINT instead of the process being ended. */
  onInterrupt(handler: () => void): () => void {
    this.#handlers.push(handler)
    return () => {
      const at = this.#handlers.lastIndexOf(handler)
      if (at >= 0) this.#handlers.splice(at, 1)
    }
  }

  /** SIGINT: the handler's business where there is one, else everything that runs is aborted. */
  interrupt(): void {
    const handler = this.#handlers.at(-1)
    if (handler && !this.signal.aborted) handler()
    else this.terminate("SIGINT")
  }

  /** While registered, the handler receives every signal that would end the process: it ends it in its own time. */
  onTerminate(handler: (cause: "SIGINT" | "SIGTERM" | "SIGHUP") => void): () => void {
    this.#terminate = handler
    return () => {
      if (this.#terminate === handler) this.#terminate = undefined
    }
  }

  /** A signal that ends the process. */
  terminate(cause: "SIGINT" | "SIGTERM" | "SIGHUP"): void {
    if (this.#terminate && !this.signal.aborted) this.#terminate(cause)
    else this.abort(cause)
  }

  abort(cause: keyof typeof causes): void {
    if (!this.signal.aborted) this.#controller.abort(new Interrupted(cause))
  }

  /** Runs the cleanups once, each even where another fails; gives up after `limit` ms. */
  close(limit = 2000): Promise<void> {
    this.#closing ??= this.#close(limit)
    return this.#closing
  }

  async #close(limit: number): Promise<void> {
    const run = async () => {
      for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
        try {
          await cleanup()
        } catch {
          // The process ends: what one cleanup could not undo must not keep the others from running.
        }
      }
    }
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limit)
    })
    await Promise.race([run(), timeout])
    clearTimeout(timer)
  }
}
