// Byte-pair encoding from left to right in linear time: take the longest token; where merging would not leave it
// next to the token before, take a shorter one; where none is left, give the token before up. The one sequence
// whose neighbours can all stand side by side is what merging ends with (van Antwerpen and Neubeck, "So many
// tokens, so little time", GitHub 2024).
import type { Derivations } from "./derivations.js"
import type { Trie } from "./trie.js"
import type { Vocabulary } from "./vocabulary.js"

/** Places of scratch memory kept between calls; a longer piece gets its own, which is freed after it. */
const keptPlaces = 1 << 14

export class Backtracker {
  readonly #vocabulary: Vocabulary
  readonly #trie: Trie
  readonly #derivations: Derivations
  /** A place is a dead end of this piece if it carries the piece's number. */
  #dead = new Int32Array(keptPlaces)
  #piece = 0

  constructor(vocabulary: Vocabulary, trie: Trie, derivations: Derivations) {
    this.#vocabulary = vocabulary
    this.#trie = trie
    this.#derivations = derivations
  }

  /**
   * Appends the tokens of bytes[start, end), of which every single byte must be a token. False, with nothing
   * appended, where the result has a token that the derivations lack.
   */
  encode(bytes: Uint8Array, start: number, end: number, out: number[]): boolean {
    if (end - start > this.#dead.length) {
      this.#dead = new Int32Array(end - start)
      this.#piece = 0
    } else if (this.#piece === 0x7fffffff) {
      this.#dead.fill(0)
      this.#piece = 0
    }
    const piece = ++this.#piece
    const dead = this.#dead
    const derivations = this.#derivations
    const shorter = this.#trie.data.shorter
    const offsets = this.#vocabulary.data.offsets
    const floor = out.length
    let at = start
    let token = this.#longest(bytes, start, end)
    let last = -1
    let found = false
    for (;;) {
      const after = at + offsets[token + 1] - offsets[token]
      if (dead[after - start - 1] !== piece && (last < 0 || derivations.canFollow(last, token))) {
        out.push(token)
        found = after === end
        if (found) break
        last = token
        at = after
        token = this.#longest(bytes, at, end)
        continue
      }
      token = shorter[token]
      if (token >= 0) continue
      if (last < 0) break
      // Nothing fits here: this place is never a border, so the token before must end elsewhere.
      dead[at - start - 1] = piece
      token = last
      out.pop()
      at -= offsets[token + 1] - offsets[token]
      last = out.length > floor ? out[out.length - 1] : -1
    }
    if (dead.length > keptPlaces) this.#dead = new Int32Array(keptPlaces)
    return found
  }

  /** The longest token that merging makes. */
  #longest(bytes: Uint8Array, at: number, end: number): number {
    const token = this.#trie.longest(bytes, at, end)
    return this.#derivations.isMade(token) ? token : this.#trie.data.shorter[token]
  }
}
