// Makes a vocabulary of byte-level BPE from texts, with the special tokens of Llama 3. Texts are only counted, piece by
// piece, so they need not fit into memory. The same texts in the same order give the same vocabulary.
import { InvalidOptionError } from "../../errors/index.js"
import { tablesOfMerges } from "../from-merges.js"
import { llama3ChatTokens, llama3SpecialTokens } from "../llama3.js"
import { patternsByName, wholeTokenPatterns } from "../patterns.js"
import { Scanner } from "../pattern/scanner.js"
import { printable } from "../printable.js"
import { Tokenizer } from "../tokenizer.js"
import { maxTokenBytes, maxVocabularySize, TokenKind, VocabularyBuilder } from "../vocabulary.js"
import { type Learned, learnMerges } from "./learn-merges.js"
import { PieceCounts } from "./piece-counts.js"

/** Pre-tokenizers to choose from, and the name that GGUF has for each. */
export const preTokenizers = {
  /** That of Llama 3: letters make words, digits go by threes. */
  llama3: "llama-bpe",
  /**
   * Marks join letters, so that words of Devanagari and Thai stay whole, and digits stand alone: that of Qwen 3.5.
   */
  marks: "qwen35",
} as const
export type PreTokenizer = keyof typeof preTokenizers

export interface VocabularyOptions {
  /** Ids in all, the 256 bytes and the special tokens included. */
  size: number
  /** Default "marks". */
  preTokenizer?: PreTokenizer
  /** Unnamed special tokens beside the eight of Llama 3 that prompts are made of, for later use. Default 8. */
  reserved?: number
  /** Pairs that occur less often make no token, counted as if all groups were as they are. Default 2. */
  minFrequency?: number
  /** Longest token in bytes. Default 48. */
  mostTokenBytes?: number
  /**
   * Groups of text (languages) are weighed as if each had its bytes to the power of this: 1 takes them as they are, 0
   * makes all equal. Default 0.3. (Conneau et al. 2020, section 3.1, weigh languages in this way.)
   */
  balance?: number
  /** What the weight of a group is multiplied with on top of that. */
  shares?: Readonly<Record<string, number>>
  /** Bytes of different pieces to be held in memory for each group; beyond it the rarest are forgotten. Default 128 MiB. */
  memory?: number
}

export interface TrainOptions {
  /** Ids that exist so far, and in all. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

const longestPiece = 1024
/** Weights of pieces are whole numbers, so that sums are exact: counts times this, times the weight of the group. */
const unit = 16

export class VocabularyTrainer {
  readonly #size: number
  readonly #preTokenizer: PreTokenizer
  readonly #specials: readonly string[]
  readonly #minFrequency: number
  readonly #mostTokenBytes: number
  readonly #balance: number
  readonly #shares: Readonly<Record<string, number>>
  readonly #memory: number
  readonly #scanner: Scanner
  readonly #groups = new Map<string, PieceCounts>()

  constructor(options: VocabularyOptions) {
    const { preTokenizer = "marks", reserved = 8, minFrequency = 2, balance = 0.3, shares = {} } = options
    const { mostTokenBytes = 48, memory = 2 ** 27, size } = options
    check("reserved", reserved, 0, 1000)
    this.#specials = specialTokens(reserved)
    check("size", size, 256 + this.#specials.length, maxVocabularySize)
    check("minFrequency", minFrequency, 1, 2 ** 31)
    check("mostTokenBytes", mostTokenBytes, 2, maxTokenBytes)
    check("memory", memory, 2 ** 16, 2 ** 30)
    if (!(balance >= 0 && balance <= 1))
      throw new InvalidOptionError(`balance is ${balance}, expected 0 to 1`)
    for (const [group, share] of Object.entries(shares))
      if (!(share > 0 && share <= 1000))
        throw new InvalidOptionError(
          `the share of ${group} is ${share}, expected a number above 0, at most 1000`,
        )
    if (!Object.hasOwn(preTokenizers, preTokenizer))
      throw new InvalidOptionError(
        `preTokenizer is ${JSON.stringify(preTokenizer)}, expected one of ${Object.keys(preTokenizers).join(", ")}`,
      )
    this.#size = size
    this.#preTokenizer = preTokenizer
    this.#minFrequency = minFrequency
    this.#mostTokenBytes = mostTokenBytes
    this.#balance = balance
    this.#shares = shares
    this.#memory = memory
    this.#scanner = new Scanner(patternsByName[preTokenizers[preTokenizer]])
  }

  /** Counts a text. Special tokens in it are text like any other. Pieces beyond 1024 bytes are left out. */
  add(text: string, group = ""): void {
    let counts = this.#groups.get(group)
    if (counts === undefined) this.#groups.set(group, (counts = new PieceCounts(this.#memory)))
    this.#scanner.scan(text, (bytes, start, end) => {
      if (end - start <= longestPiece) counts.add(bytes, start, end)
    })
  }

  /** Bytes of text that were counted, and the part of all weight that it gets, by group. */
  weights(): Map<string, { bytes: number; share: number }> {
    const sized = [...this.#groups].map(([group, { totalBytes: bytes }]) => {
      const weight = bytes === 0 ? 0 : bytes ** this.#balance * (this.#shares[group] ?? 1)
      return { group, bytes, weight }
    })
    const total = sized.reduce((sum, { weight }) => sum + weight, 0)
    return new Map(sized.map(({ group, bytes, weight }) => [group, { bytes, share: weight / total }]))
  }

  /**
   * The tokenizer that the texts so far lead to. It may have fewer ids than asked for where the texts are few.
   * InvalidOptionError where nothing was added, or a share names a group that has no text.
   */
  async train({ onProgress, signal }: TrainOptions = {}): Promise<Tokenizer> {
    const pieces = this.#weighted()
    const specials = this.#specials.length
    const learned = await learnMerges(pieces, {
      symbols: this.#size - specials,
      minFrequency: this.#minFrequency * unit,
      mostBytes: this.#mostTokenBytes,
      onProgress: (symbols) => onProgress?.(symbols + specials, this.#size),
      signal,
    })
    return tokenizerOf(learned, this.#specials, this.#preTokenizer)
  }

  /** The pieces of all groups, each counted by its group's weight; the mean weight of a byte is `unit`. */
  #weighted(): PieceCounts {
    const weights = this.weights()
    const total = [...weights.values()].reduce((sum, { bytes }) => sum + bytes, 0)
    if (total === 0) throw new InvalidOptionError("there is no text to make a vocabulary from")
    for (const group of Object.keys(this.#shares))
      if (!weights.has(group))
        throw new InvalidOptionError(
          `a share is given for ${group}, but the groups are ${[...weights.keys()].join(", ")}`,
        )
    const all = new PieceCounts(Infinity)
    for (const [group, counts] of this.#groups) {
      const { bytes: groupBytes, share } = weights.get(group)!
      const factor = (unit * share * total) / groupBytes
      counts.forEach((bytes, start, end, count) =>
        all.add(bytes, start, end, Math.max(1, Math.round(count * factor))),
      )
    }
    return all
  }
}

function check(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new InvalidOptionError(`${name} is ${value}, expected a whole number from ${least} to ${most}`)
}

const specialTokens = (reserved: number): string[] => [
  ...llama3ChatTokens,
  ...llama3SpecialTokens.filter((text) => text.startsWith("<|reserved")).slice(0, reserved),
]

function tokenizerOf(learned: Learned, specials: readonly string[], preTokenizer: PreTokenizer): Tokenizer {
  const { symbols, merges } = learned
  const builder = new VocabularyBuilder(symbols.length + specials.length)
  for (const [id, bytes] of symbols.entries()) builder.set(id, bytes)
  for (const [i, text] of specials.entries())
    builder.set(symbols.length + i, new TextEncoder().encode(text), TokenKind.control)
  const name = preTokenizers[preTokenizer]
  const wholeTokens = wholeTokenPatterns.has(name)
  const texts = symbols.map((bytes) => Array.from(bytes, (byte) => printable[byte]).join(""))
  const bos = symbols.length + specials.indexOf("<|begin_of_text|>")
  return Tokenizer.deserialize({
    start: "bytes",
    ...tablesOfMerges({
      name: "the new vocabulary",
      builder,
      merges: merges.map(([left, right]) => [texts[left], texts[right]]),
      wholeTokens,
    }),
    patterns: [patternsByName[name]],
    wholeTokens,
    specials: specials.map((text, i) => [text, symbols.length + i]),
    bos,
    eos: symbols.length + specials.indexOf("<|end_of_text|>"),
    addsBos: true,
    spacePrefix: false,
    spaceSymbol: "",
  })
}
