// A constraint bound to a vocabulary, and the state of one answer under it.
import type { Compiled } from "./compile.js"
import { dead, type Machine } from "./machine.js"
import { Masks } from "./masks.js"
import type { TokenTrie } from "./token-trie.js"

/** What answers may be, for one vocabulary. All answers share what was worked out. */
export class Constraint {
  readonly #masks: Masks
  readonly #trie: TokenTrie

  constructor({ expressions, root }: Compiled, trie: TokenTrie) {
    this.#trie = trie
    this.#masks = new Masks(expressions, root, trie)
  }

  /** The state at the start of an answer. */
  begin(): ConstraintState {
    return new ConstraintState(this.#masks, this.#trie)
  }
}

export class ConstraintState {
  readonly #masks: Masks
  readonly #trie: TokenTrie
  #machine: Machine
  #configuration: number

  constructor(masks: Masks, trie: TokenTrie) {
    this.#masks = masks
    this.#trie = trie
    this.#machine = masks.tidy()
    this.#configuration = this.#machine.start
  }

  /** Whether the text may end here. */
  get mayEnd(): boolean {
    this.#refresh()
    return this.#machine.ends[this.#configuration]
  }

  /** Whether nothing can come after this. */
  get mustEnd(): boolean {
    this.#refresh()
    return this.#machine.configurations[this.#configuration].places.length === 0
  }

  /**
   * The tokens that may come next: bit t % 32 of word t / 32 for token t. Those that only end the answer are not among
   * them. The array is overwritten when the next state is asked.
   */
  allowed(): Int32Array {
    this.#refresh()
    return this.#masks.of(this.#configuration)
  }

  /** Goes on by a token. False, and no text goes on from here, where the token was not allowed. */
  accept(token: number): boolean {
    this.#refresh()
    const bytes = this.#trie.bytesOf(token)
    this.#machine.earn()
    let configuration = bytes.length === 0 ? dead : this.#configuration
    for (const byte of bytes) configuration = this.#machine.step(configuration, byte)
    this.#configuration = configuration
    return configuration !== dead
  }

  #refresh(): void {
    const machine = this.#masks.tidy()
    if (machine === this.#machine) return
    this.#configuration = machine.adopt(this.#machine, this.#configuration)
    this.#machine = machine
  }
}
