// The face of this folder: text to token ids and back, for every kind of vocabulary that Llama models come with.
// Text never becomes a special token unless the caller asks for it.
import { ByteLevelEncoder, type StretchEncoder } from "./byte-level.js"
import { ByteWriter, decodeAll, StreamDecoder, type DecodeOptions } from "./decoder.js"
import { readGguf } from "./from-gguf.js"
import { readLlama2c } from "./from-llama2c.js"
import { readTiktoken, type TiktokenOptions } from "./from-tiktoken.js"
import { readTokenizerJson } from "./from-tokenizer-json.js"
import { Merger } from "./merge.js"
import type { TokenizerData } from "./model.js"
import { PairTable } from "./pair-table.js"
import { SentencePieceEncoder } from "./sentence-piece.js"
import { SpecialText } from "./special-text.js"
import { settled } from "./table-memory.js"
import { TokenKind, Vocabulary } from "./vocabulary.js"

export interface EncodeOptions {
  /** Put the beginning-of-text token first. Default false. */
  bos?: boolean
  /** Let text such as `<|eot_id|>` become special tokens. Default false: never do this with a user's text. */
  special?: boolean
}

export class Tokenizer {
  /** Number of ids, special tokens included. */
  readonly size: number
  /** Text and id of every special token. */
  readonly special: ReadonlyMap<string, number>
  readonly bos: number | undefined
  readonly eos: number | undefined
  /** Whether the model expects `bos` before every text; `encode` does it only when asked. */
  readonly addsBos: boolean
  readonly #data: TokenizerData
  readonly #vocabulary: Vocabulary
  readonly #encoder: StretchEncoder
  readonly #specialText: SpecialText

  private constructor(data: TokenizerData) {
    this.#data = data
    this.#vocabulary = new Vocabulary(data.vocabulary)
    this.size = this.#vocabulary.size
    this.special = new Map(data.specials)
    this.bos = data.bos
    this.eos = data.eos
    this.addsBos = data.addsBos
    this.#specialText = new SpecialText(data.specials)
    const merger = new Merger(new PairTable(data.pairs))
    this.#encoder = data.leftToRight
      ? new ByteLevelEncoder(data, merger)
      : new SentencePieceEncoder(this.#vocabulary, merger, data.byteTokens)
  }

  /**
   * Meta's `tokenizer.model` (tiktoken format). Throws InvalidFileError, with the line, for a damaged file and
   * UnsupportedError for a pattern that cannot be run exactly.
   */
  static fromTiktoken(file: Uint8Array, options?: TiktokenOptions): Tokenizer {
    return new Tokenizer(settled(readTiktoken(file, options)))
  }

  /**
   * Hugging Face's `tokenizer.json`, as text or parsed, for byte-level BPE. Throws InvalidFileError for a damaged
   * file and UnsupportedError for anything that cannot be done exactly.
   */
  static fromTokenizerJson(json: unknown): Tokenizer {
    return new Tokenizer(settled(readTokenizerJson(json)))
  }

  /** The `tokenizer.ggml.*` metadata of a GGUF file, kinds "gpt2" and "llama". Errors as fromTokenizerJson. */
  static fromGguf(metadata: ReadonlyMap<string, unknown>): Tokenizer {
    return new Tokenizer(settled(readGguf(metadata)))
  }

  /** llama2.c's `tokenizer.bin`; the vocabulary size comes from the model. Throws InvalidFileError. */
  static fromLlama2c(file: Uint8Array, vocabularySize: number): Tokenizer {
    return new Tokenizer(settled(readLlama2c(file, vocabularySize)))
  }

  /** A tokenizer from what `serialize` returned, in this thread or another. */
  static deserialize(data: TokenizerData): Tokenizer {
    return new Tokenizer(data)
  }

  /** Everything this tokenizer is, fit for structured clone; shared memory where the platform has it. */
  serialize(): TokenizerData {
    return this.#data
  }

  /** Token ids of a text. A lone surrogate counts as U+FFFD. Linear time in practice, n log n at worst. */
  encode(text: string, { bos = false, special = false }: EncodeOptions = {}): number[] {
    const ids: number[] = []
    if (bos && this.bos !== undefined) ids.push(this.bos)
    let at = 0
    if (special && this.special.size > 0) {
      for (let found = this.#specialText.find(text, 0); found; found = this.#specialText.find(text, at)) {
        this.#encodeStretch(text.slice(at, found.start), ids)
        ids.push(found.id)
        at = found.end
      }
    }
    this.#encodeStretch(at === 0 ? text : text.slice(at), ids)
    return ids
  }

  #encodeStretch(text: string, ids: number[]): void {
    if (text === "") return
    if (this.#data.spaceSymbol !== "") text = text.replaceAll(this.#data.spaceSymbol, " ")
    if (this.#data.spacePrefix) text = ` ${text}`
    this.#encoder.encode(text, ids)
  }

  /** Text of token ids. Special tokens are left out unless `special`; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    return decodeAll(ids, this.#writer(options))
  }

  /** Decodes token by token; never returns half a character. */
  decoder(options: DecodeOptions = {}): StreamDecoder {
    return new StreamDecoder(this.#writer(options))
  }

  #writer(options: DecodeOptions): ByteWriter {
    const dropsSpaceAfter = this.#data.spacePrefix ? (this.bos ?? -1) : -1
    return new ByteWriter(this.#vocabulary, dropsSpaceAfter, options)
  }

  /** The bytes of a token, of a special one its text. A view of (maybe shared) memory: do not write to it. */
  tokenBytes(id: number): Uint8Array {
    return this.#vocabulary.bytesOf(id)
  }

  /** The id of a special token by its text, such as `<|eot_id|>`. */
  idOf(special: string): number | undefined {
    return this.special.get(special)
  }

  /** Whether the token is a control token: one that is no text and that decoding leaves out. */
  isSpecial(id: number): boolean {
    return this.#vocabulary.data.kinds[id] === TokenKind.control
  }
}
