// A tokenizer written in the forms that llama.cpp and transformers read: GGUF metadata and tokenizer.json.
import { UnsupportedError } from "../errors/index.js"
import type { TokenizerData } from "./model.js"
import { PairTable } from "./pair-table.js"
import { printable } from "./printable.js"
import { patternsByName, wholeTokenPatterns } from "./patterns.js"
import type { Tokenizer } from "./tokenizer.js"
import { TokenKind } from "./vocabulary.js"

/** ggml's token types, by our kinds. */
const ggmlTypes = {
  [TokenKind.ordinary]: 1,
  [TokenKind.control]: 3,
  [TokenKind.added]: 4,
  [TokenKind.unused]: 5,
}

const printed = (bytes: Uint8Array): string => Array.from(bytes, (byte) => printable[byte]).join("")

/** `tokenizer.ggml.*` values as plain data; the writer of the file gives them their types. */
export interface GgufTokenizer {
  readonly model: "gpt2" | "llama"
  /** Name of the pre-tokenizer; absent for "llama". */
  readonly pre?: string
  readonly tokens: string[]
  readonly tokenTypes: Int32Array
  /** "left right" in order of rank, for "gpt2". */
  readonly merges?: string[]
  /** For "llama". */
  readonly scores?: Float32Array
  readonly bos: number | undefined
  readonly eos: number | undefined
  readonly addsBos: boolean
  readonly addsSpacePrefix: boolean
}

/** What llama.cpp needs of a tokenizer. UnsupportedError for a pre-tokenizer that GGUF has no name for. */
export function exportGguf(tokenizer: Tokenizer): GgufTokenizer {
  const data = tokenizer.serialize()
  const shared = {
    tokenTypes: Int32Array.from(data.vocabulary.kinds, (kind) => ggmlTypes[kind as keyof typeof ggmlTypes]),
    bos: data.bos,
    eos: data.eos,
    addsBos: data.addsBos,
    addsSpacePrefix: data.spacePrefix,
  }
  if (data.start === "characters") {
    const byteOf = new Map([...data.byteTokens.entries()].map(([byte, id]) => [id, byte]))
    for (const id of byteOf.keys()) shared.tokenTypes[id] = 6
    const tokens = texts(tokenizer, data, (bytes) =>
      new TextDecoder().decode(bytes).replaceAll(" ", "\u2581"),
    )
    for (const [id, byte] of byteOf) tokens[id] = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
    const scores = new Float32Array(tokens.length)
    for (const { rank, merged } of new PairTable(data.pairs).entries()) scores[merged] = -rank
    return { model: "llama", tokens, scores, ...shared }
  }
  const pre = Object.keys(patternsByName).find(
    (name) =>
      data.patterns.join() === patternsByName[name] && data.wholeTokens === wholeTokenPatterns.has(name),
  )
  if (pre === undefined) {
    throw new UnsupportedError(
      `GGUF has no name for the pre-tokenizer ${data.patterns.join(" then ").slice(0, 200)} ` +
        `${data.wholeTokens ? "with" : "without"} whole tokens before merges`,
    )
  }
  return {
    model: "gpt2",
    pre,
    tokens: texts(tokenizer, data, printed),
    merges: mergesOf(tokenizer, data),
    ...shared,
  }
}

/** What transformers reads as tokenizer.json. UnsupportedError for SentencePiece vocabularies. */
export function exportTokenizerJson(tokenizer: Tokenizer): object {
  const data = tokenizer.serialize()
  if (data.start === "characters") {
    throw new UnsupportedError("a SentencePiece vocabulary has no tokenizer.json here: write GGUF instead")
  }
  const { kinds } = data.vocabulary
  const tokens = texts(tokenizer, data, printed)
  const vocab = Object.fromEntries(
    tokens.map((text, id) => [text, id] as const).filter(([, id]) => kinds[id] === TokenKind.ordinary),
  )
  const split = (pattern: string) => ({
    type: "Split",
    pattern: { Regex: pattern },
    behavior: "Isolated",
    invert: false,
  })
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false }
  const bos = data.bos === undefined ? undefined : tokens[data.bos]
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: data.specials.map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: kinds[id] === TokenKind.control,
    })),
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...data.patterns.map(split), byteLevel] },
    post_processor: data.addsBos && bos !== undefined ? template(bos, data.bos!) : byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: data.wholeTokens,
      vocab,
      merges: mergesOf(tokenizer, data),
    },
  }
}

/** The post-processor that puts the beginning-of-text token before a text. */
function template(bos: string, id: number): object {
  const sequence = (name: "A" | "B", type: number) => ({ Sequence: { id: name, type_id: type } })
  const start = (type: number) => ({ SpecialToken: { id: bos, type_id: type } })
  return {
    type: "TemplateProcessing",
    single: [start(0), sequence("A", 0)],
    pair: [start(0), sequence("A", 0), start(1), sequence("B", 1)],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  }
}

/** Text of every token; tokens without bytes of their own get a name, for a list must not repeat itself. */
function texts(tokenizer: Tokenizer, data: TokenizerData, ordinary: (bytes: Uint8Array) => string): string[] {
  const utf8 = new TextDecoder()
  return Array.from({ length: tokenizer.size }, (_, id) => {
    const bytes = tokenizer.tokenBytes(id).slice() // shared memory cannot be decoded
    if (data.vocabulary.kinds[id] === TokenKind.unused) return `[unused${id}]`
    return data.vocabulary.kinds[id] === TokenKind.ordinary ? ordinary(bytes) : utf8.decode(bytes)
  })
}

function mergesOf(tokenizer: Tokenizer, data: TokenizerData): string[] {
  const text = (id: number) => printed(tokenizer.tokenBytes(id))
  const all: { left: number; right: number; rank: number }[] = [...new PairTable(data.pairs).entries()]
  const others = data.leftToRight?.others ?? []
  for (let at = 0; at < others.length; at += 3)
    all.push({ left: others[at], right: others[at + 1], rank: others[at + 2] })
  return all
    .toSorted((a, b) => a.rank - b.rank || a.left - b.left || a.right - b.right)
    .map(({ left, right }) => `${text(left)} ${text(right)}`)
}
