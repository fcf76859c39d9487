// Token ids back to text. Bytes of an unfinished character are held until the token that completes it.
import { InvalidOptionError } from "../errors/index.js"
import { TokenKind, type Vocabulary } from "./vocabulary.js"

export interface DecodeOptions {
  /** Write special tokens out (`<|eot_id|>`) instead of leaving them out. */
  special?: boolean
  /** The token before the first one: SentencePiece drops the space that follows the bos. */
  after?: number | undefined
}

/** Appends the bytes of tokens and remembers what the next one needs to know. */
export class ByteWriter {
  readonly #vocabulary: Vocabulary
  readonly #special: boolean
  /** The token after which one leading space is dropped, or -1. */
  readonly #dropsSpaceAfter: number
  #previous: number

  constructor(vocabulary: Vocabulary, dropsSpaceAfter: number, options: DecodeOptions) {
    this.#vocabulary = vocabulary
    this.#dropsSpaceAfter = dropsSpaceAfter
    this.#special = options.special ?? false
    this.#previous = options.after ?? -1
  }

  /** The bytes that this token adds to the text; a view, valid until the vocabulary changes (never). */
  bytesOf(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0 || id >= this.#vocabulary.size)
      throw new InvalidOptionError(
        `token ${id} is not in the vocabulary: expected a whole number from 0 to ${this.#vocabulary.size - 1}`,
      )
    const previous = this.#previous
    this.#previous = id
    if (!this.#special && this.#vocabulary.data.kinds[id] === TokenKind.control) return nothing
    const bytes = this.#vocabulary.bytesOf(id)
    const drops = previous >= 0 && previous === this.#dropsSpaceAfter && bytes[0] === 0x20
    return drops ? bytes.subarray(1) : bytes
  }
}

const nothing = new Uint8Array(0)

/** Text of a whole sequence. Bytes that are no UTF-8 become U+FFFD. */
export function decodeAll(ids: Iterable<number>, writer: ByteWriter): string {
  let bytes = new Uint8Array(256)
  let length = 0
  for (const id of ids) {
    const token = writer.bytesOf(id)
    if (length + token.length > bytes.length) {
      const larger = new Uint8Array(2 * (length + token.length))
      larger.set(bytes)
      bytes = larger
    }
    bytes.set(token, length)
    length += token.length
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, length))
}

/** Decodes a stream of tokens; what `push` returns never ends within a character. */
export class StreamDecoder {
  readonly #writer: ByteWriter
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })

  constructor(writer: ByteWriter) {
    this.#writer = writer
  }

  /** The text that this token completes; empty where it ends within a character. */
  push(id: number): string {
    // A copy, because a view of shared memory is refused by the decoder of browsers.
    return this.#decoder.decode(Uint8Array.from(this.#writer.bytesOf(id)), { stream: true })
  }

  /** What is left at the end: U+FFFD for a character that was never completed. The decoder starts anew. */
  flush(): string {
    return this.#decoder.decode()
  }
}
