// Pieces between the engine that sends them and the caller that takes them.
import type { Piece } from "./options.js"

export class PieceQueue {
  #pieces: readonly Piece[] = []
  #state: { readonly ended: true; readonly error?: unknown } | undefined
  #waiting: (() => void) | undefined

  /** Whether the engine sent anything yet. */
  started = false

  push(pieces: readonly Piece[]): void {
    this.started = true
    this.#pieces = this.#pieces.length === 0 ? pieces : [...this.#pieces, ...pieces]
    this.#waiting?.()
  }

  end(): void {
    this.#state ??= { ended: true }
    this.#waiting?.()
  }

  /** Drops what is left and makes `next` throw. */
  fail(error: unknown): void {
    this.#state ??= { ended: true, error }
    if ("error" in this.#state) this.#pieces = []
    this.#waiting?.()
  }

  get ended(): boolean {
    return this.#state !== undefined
  }

  /** All pieces that are there, undefined after the last ones. Throws what `fail` was given. */
  async next(): Promise<readonly Piece[] | undefined> {
    while (this.#pieces.length === 0 && !this.#state) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
      this.#waiting = undefined
    }
    if (this.#state && "error" in this.#state) throw this.#state.error
    const pieces = this.#pieces
    this.#pieces = []
    return pieces.length > 0 ? pieces : undefined
  }
}
