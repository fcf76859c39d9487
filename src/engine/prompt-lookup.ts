// Guesses how a text goes on from what followed the same tokens earlier in it (prompt lookup decoding, Saxena 2023).
// A step that checks a few guesses reads the weights once, so that answers which repeat their prompt, or themselves, come
// sooner. The guesses never decide anything: a token counts only when it is the one that would have been chosen.

/** So many tokens have to agree. */
const matched = 3
/** Most steps for which wrong guesses make it rest. */
const longestRest = 32

export interface Text {
  readonly length: number
  token(index: number): number
}

export class PromptLookup {
  #rest = 0
  #nextRest = 1

  /** `most` tokens as they followed the last ones of the text when these occurred before; often none. */
  guess(text: Text, most: number): number[] {
    if (this.#rest > 0) {
      this.#rest--
      return []
    }
    const { length } = text
    if (most <= 0 || length <= matched) return []
    const last = text.token(length - 1)
    for (let at = length - 2; at >= matched - 1; at--) {
      if (text.token(at) !== last || !this.#agree(text, at)) continue
      const guesses: number[] = []
      // Behind the end of the text come the guesses themselves: what repeats with a short period goes on so.
      for (let next = at + 1; guesses.length < most; next++)
        guesses.push(next < length ? text.token(next) : guesses[next - length])
      return guesses
    }
    return []
  }

  /** How many of the guesses of a step came true. */
  learn(right: number): void {
    this.#nextRest = right > 0 ? 1 : Math.min(longestRest, 2 * this.#nextRest)
    this.#rest = right > 0 ? 0 : this.#nextRest
  }

  #agree(text: Text, at: number): boolean {
    for (let back = 1; back < matched; back++) {
      if (text.token(at - back) !== text.token(text.length - 1 - back)) return false
    }
    return true
  }
}
