// Hugging Face's tokenizer.json, for byte-level BPE: what it says is done exactly or refused, never guessed.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { setPrintable, tablesOfMerges } from "./from-merges.js"
import type { TokenizerData } from "./model.js"
import { patternsByName } from "./patterns.js"
import { checkSize, maxVocabularySize, TokenKind, VocabularyBuilder } from "./vocabulary.js"

type Fields = Record<string, unknown>
const file = "tokenizer.json"

export function readTokenizerJson(json: unknown): TokenizerData {
  const root = fields(typeof json === "string" ? parse(json) : json, "the file")
  const model = fields(root.model, "model")
  checkModel(model)
  if (root.normalizer != null) unsupported(`a normalizer of type ${typeOf(root.normalizer)}`)
  if (root.decoder != null && typeOf(root.decoder) !== "ByteLevel")
    unsupported(`a decoder of type ${typeOf(root.decoder)}`)

  const entries = Object.entries(fields(model.vocab, "model.vocab"))
  const added = list(root.added_tokens ?? [], "added_tokens").map(readAdded)
  const ids = [...entries.map(([, id]) => id), ...added.map(({ id }) => id)]
  let largest = -1
  for (const id of ids) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= maxVocabularySize)
      throw new InvalidFileError(
        `${file}: the token id ${JSON.stringify(id)} is not a whole number from 0 to ${maxVocabularySize - 1}`,
      )
    if (id > largest) largest = id
  }
  checkSize(largest + 1)
  if (largest >= 4 * ids.length + 1024)
    throw new InvalidFileError(
      `${file}: the largest token id is ${largest}, but there are ${ids.length} tokens`,
    )

  const builder = new VocabularyBuilder(largest + 1)
  const addedIds = new Set(added.map(({ id }) => id))
  for (const [text, id] of entries as [string, number][]) {
    if (addedIds.has(id)) continue
    if (builder.has(id)) throw new InvalidFileError(`${file}: two tokens have the id ${id}`)
    setPrintable(builder, id, text, file)
  }
  for (const { id, content, special } of added)
    builder.set(id, new TextEncoder().encode(content), special ? TokenKind.control : TokenKind.added)

  const specials = added.map(({ content, id }): [string, number] => [content, id])
  const specialIds = new Map(specials)
  const leading = leadingToken(root.post_processor)
  const bos = leading ?? ["<|begin_of_text|>", "<s>"].find((text) => specialIds.has(text))
  const eos = ["<|end_of_text|>", "</s>", "<|endoftext|>"].find((text) => specialIds.has(text))
  if (leading !== undefined && !specialIds.has(leading))
    throw new InvalidFileError(`${file}: the post-processor's token ${leading} is not among added_tokens`)
  const wholeTokens = model.ignore_merges === true
  return {
    start: "bytes",
    ...tablesOfMerges({
      name: file,
      builder,
      merges: list(model.merges, "model.merges"),
      wholeTokens,
    }),
    patterns: readPatterns(root.pre_tokenizer),
    wholeTokens,
    specials,
    bos: bos === undefined ? undefined : specialIds.get(bos),
    eos: eos === undefined ? undefined : specialIds.get(eos),
    addsBos: leading !== undefined,
    spacePrefix: false,
    spaceSymbol: "",
  }
}

function unsupported(what: string): never {
  throw new UnsupportedError(
    `${file} asks for ${what}, which Cria cannot do exactly: expected byte-level BPE as Llama 3 has it`,
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidFileError(`${file} is not JSON: is the download complete?`, { cause: error })
  }
}

function fields(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidFileError(`${file}: ${name} is not an object`)
  return value as Fields
}

function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidFileError(`${file}: ${name} is not a list`)
  return value
}

const typeOf = (value: unknown): string => String(fields(value, "a component").type).slice(0, 60)

function checkModel(model: Fields): void {
  if (model.type !== undefined && model.type !== "BPE") unsupported(`a model of type ${typeOf(model)}`)
  if (model.byte_fallback === true) unsupported("SentencePiece BPE with byte fallback")
  if (model.dropout != null && model.dropout !== 0) unsupported("dropout while merging")
  for (const key of ["unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
    if (model[key] != null && model[key] !== "") unsupported(`the model option ${key}`)
}

interface Added {
  id: unknown
  content: string
  special: boolean
}

function readAdded(value: unknown): Added & { id: number } {
  const token = fields(value, "an added token")
  if (typeof token.content !== "string" || token.content === "")
    throw new InvalidFileError(`${file}: an added token has no content`)
  for (const key of ["single_word", "lstrip", "rstrip"])
    if (token[key] === true) unsupported(`an added token with ${key}`)
  return { id: token.id as number, content: token.content, special: token.special === true }
}

/** The patterns that the pre-tokenizers of the file amount to; the last of them must be ByteLevel. */
function readPatterns(value: unknown): string[] {
  if (value == null) unsupported("no pre-tokenizer")
  const steps =
    typeOf(value) === "Sequence" ? list(fields(value, "").pretokenizers, "pretokenizers") : [value]
  const patterns: string[] = []
  for (const [index, step] of steps.entries()) {
    const options = fields(step, "a pre-tokenizer")
    const type = typeOf(step)
    const isLast = index === steps.length - 1
    if ((type === "ByteLevel") !== isLast) unsupported(`the pre-tokenizer ${type} at place ${index + 1}`)
    if (type === "ByteLevel") {
      if (options.add_prefix_space === true) unsupported("a space before every text")
      if (options.use_regex !== false) patterns.push(patternsByName["gpt-2"])
    } else if (type === "Digits") patterns.push(options.individual_digits === true ? "\\p{N}" : "\\p{N}+")
    else if (type === "Split") patterns.push(splitPattern(options))
    else unsupported(`the pre-tokenizer ${type}`)
  }
  return patterns
}

function splitPattern(options: Fields): string {
  if (options.behavior !== "Isolated" || options.invert === true)
    unsupported(
      `the Split behavior ${String(options.behavior)}${options.invert === true ? ", inverted" : ""}`,
    )
  const pattern = fields(options.pattern, "a Split's pattern")
  if (typeof pattern.Regex === "string") return pattern.Regex
  if (typeof pattern.String === "string" && pattern.String !== "")
    return pattern.String.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
  throw new InvalidFileError(`${file}: a Split has neither a Regex nor a String`)
}

/** The special token that the post-processor puts before a text, if any. */
function leadingToken(value: unknown): string | undefined {
  if (value == null) return undefined
  const processor = fields(value, "post_processor")
  const type = typeOf(value)
  if (type === "ByteLevel") return undefined
  if (type === "Sequence") {
    const found = list(processor.processors, "processors").map(leadingToken)
    return found.find((token) => token !== undefined)
  }
  if (type !== "TemplateProcessing") unsupported(`the post-processor ${type}`)
  const first = fields(list(processor.single, "the template")[0], "the template's first part")
  if (first.SpecialToken === undefined) return undefined
  const { id } = fields(first.SpecialToken, "SpecialToken")
  if (typeof id !== "string") throw new InvalidFileError(`${file}: the template's special token has no name`)
  return id
}
