// Who may run: so many answers at a time, so many requests in line, first come first served; the rest is told
// when to come back.
import { ApiError } from "./api-error.js"

interface Waiter {
  readonly answers: number
  enter(): void
  fail(error: Error): void
}

export class Gate {
  readonly maxRunning: number
  readonly #maxQueue: number
  readonly #line: Waiter[] = []
  readonly #whenEmpty: (() => void)[] = []
  #running = 0
  #closed = false
  /** Seconds that a request runs, smoothed. */
  #seconds = 1

  constructor(maxRunning: number, maxQueue: number) {
    this.maxRunning = maxRunning
    this.#maxQueue = maxQueue
  }

  /** Answers that run, and requests that wait. */
  get running(): number {
    return this.#running
  }
  get waiting(): number {
    return this.#line.length
  }
  /** Whether the next one would be refused. */
  get isFull(): boolean {
    return this.#line.length >= this.#maxQueue && this.#running >= this.maxRunning
  }
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Waits for room for so many answers; call what it returns when they are done.
   * @throws ApiError 429 when the line is full, 503 after `close`, or the signal's reason.
   */
  async enter(answers: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#closed) throw shuttingDown()
    if (answers > this.maxRunning)
      throw new ApiError(
        400,
        `n: ${answers} answers at once, but this server runs at most ${this.maxRunning}`,
        {
          param: "n",
        },
      )
    if (this.#line.length > 0 || this.#running + answers > this.maxRunning) {
      if (this.#line.length >= this.#maxQueue)
        throw new ApiError(429, "the server is busy: too many requests are waiting already", {
          code: "queue_full",
          retryAfter: Math.min(60, (this.#seconds * (this.#line.length + 1)) / this.maxRunning),
        })
      await this.#wait(answers, signal)
    } else this.#running += answers
    const start = performance.now()
    let left = false
    return () => {
      if (left) return
      left = true
      this.#seconds += 0.1 * ((performance.now() - start) / 1000 - this.#seconds)
      this.#running -= answers
      this.#advance()
    }
  }

  /** Refuses all who come from now on and all who wait; resolves when nobody runs any more. */
  close(): Promise<void> {
    this.#closed = true
    for (const waiter of this.#line.splice(0)) waiter.fail(shuttingDown())
    return new Promise((resolve) => {
      if (this.#running === 0) resolve()
      else this.#whenEmpty.push(resolve)
    })
  }

  #wait(answers: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        answers,
        enter: () => {
          signal.removeEventListener("abort", abort)
          resolve()
        },
        fail: (error) => {
          signal.removeEventListener("abort", abort)
          reject(error)
        },
      }
      const abort = () => {
        this.#line.splice(this.#line.indexOf(waiter), 1)
        reject(signal.reason as Error)
        this.#advance()
      }
      signal.addEventListener("abort", abort, { once: true })
      this.#line.push(waiter)
    })
  }

  #advance(): void {
    let free = this.maxRunning - this.#running
    while (this.#line.length > 0 && this.#line[0].answers <= free) {
      const next = this.#line.shift()!
      free -= next.answers
      this.#running += next.answers
      next.enter()
    }
    if (this.#running === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }
}

export const shuttingDown = (): ApiError =>
  new ApiError(503, "the server is shutting down", {
    code: "shutting_down",
    retryAfter: 5,
    headers: { connection: "close" },
  })
