// Answered responses, kept in memory within bounds: the oldest go first.
import { ApiError } from "./api-error.js"
import type { OutputItem, ResponseObject } from "./response-object.js"
import type { InputItem } from "./responses-schema.js"

export interface Stored {
  response: ResponseObject
  /** What this request brought; earlier items are those of `previous`. */
  readonly input: readonly InputItem[]
  readonly previous: string | undefined
  /** Ends a response that is being written in the background. */
  cancel?: () => void
  /** Characters of it as JSON, about. */
  size: number
}

export class ResponseStore {
  readonly #stored = new Map<string, Stored>()
  #size = 0

  constructor(
    readonly maxResponses: number,
    readonly maxCharacters: number,
  ) {}

  put(stored: Omit<Stored, "size">): void {
    const { id } = stored.response
    this.#remove(id)
    const size = JSON.stringify([stored.response, stored.input]).length
    this.#stored.set(id, { ...stored, size })
    this.#size += size
    for (const [oldest, { cancel }] of this.#stored) {
      if (this.#stored.size <= this.maxResponses && this.#size <= this.maxCharacters) break
      if (oldest !== id && !cancel) this.#remove(oldest)
    }
  }

  /** @throws ApiError 404. */
  get(id: string, param?: string): Stored {
    const found = this.#stored.get(id)
    if (!found)
      throw new ApiError(
        404,
        `there is no response ${id.slice(0, 100)}: it was never stored, was deleted, or made room`,
        {
          param,
          code: "response_not_found",
        },
      )
    return found
  }

  has(id: string): boolean {
    return this.#stored.has(id)
  }

  /** @throws ApiError 404. */
  delete(id: string): void {
    this.get(id).cancel?.()
    this.#remove(id)
  }

  /** All items of a conversation up to and with a response, the first ones first. @throws ApiError 404. */
  history(id: string): (InputItem | OutputItem)[] {
    const turns: (InputItem | OutputItem)[][] = []
    const seen = new Set<string>()
    for (let at: string | undefined = id; at !== undefined; ) {
      if (seen.has(at)) break
      seen.add(at)
      const { input, response, previous }: Stored = this.get(at, "previous_response_id")
      turns.push([...input, ...response.output])
      at = previous
    }
    return turns.toReversed().flat()
  }

  /** All stored items by their ids; references are none. */
  items(): Map<string, InputItem | OutputItem> {
    const all = new Map<string, InputItem | OutputItem>()
    for (const { input, response } of this.#stored.values()) {
      for (const item of [...input, ...response.output])
        if (item.id && item.type !== "item_reference") all.set(item.id, item)
    }
    return all
  }

  #remove(id: string): void {
    const found = this.#stored.get(id)
    if (!found) return
    this.#size -= found.size
    this.#stored.delete(id)
  }
}
