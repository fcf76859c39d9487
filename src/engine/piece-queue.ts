// Pieces between the engine that sends them and the caller that takes them.
import type { Piece } from "./options.js"

export class PieceQueue {
  #pieces: Piece[] = []
  #at = 0
  #state: { readonly ended: true; readonly error?: unknown } | undefined
  #waiting: (() => void) | undefined

  /** Whether the engine sent anything yet. */
  started = false

  push(piece: Piece): void {
    this.started = true
    this.#pieces.push(piece)
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

  /** The next piece, undefined after the last one. Throws what `fail` was given. */
  async next(): Promise<Piece | undefined> {
    while (this.#at >= this.#pieces.length && !this.#state) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
      this.#waiting = undefined
    }
    if (this.#state && "error" in this.#state) throw this.#state.error
    if (this.#at >= this.#pieces.length) return undefined
    const piece = this.#pieces[this.#at++]
    if (this.#at > 64) {
      this.#pieces = this.#pieces.slice(this.#at)
      this.#at = 0
    }
    return piece
  }
}
