// A text whose logits are wanted for every token. Its pages are its own: it may start at any position, and every
// token has to be run even where the cache knows a prefix.
import { nowhere, type Sequence } from "./sequence.js"

export class Scoring implements Sequence {
  readonly place = nowhere()
  readonly shares = false
  readonly slides = false
  readonly paused = false
  readonly wantsAll = true
  readonly wantsStates = false
  readonly guess = (): readonly number[] => []
  /** Rows that were sent: a text that is set back does not send them twice. */
  sent = 0

  constructor(
    readonly id: number,
    readonly order: number,
    readonly ids: Int32Array,
    readonly firstPosition: number,
    readonly adapter: string | undefined,
  ) {}

  get length(): number {
    return this.ids.length
  }

  token(index: number): number {
    return this.ids[index]
  }
}
