// Vocabularies from files that are small, odd, damaged or hostile.
import { expect, test } from "vitest"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { Tokenizer } from "./tokenizer.js"

const utf8 = new TextEncoder()
const base64 = (text: string) => btoa(text)

/** A tokenizer.model of all bytes and these tokens. */
function tiktoken(tokens: readonly string[] = []): string[] {
  const all = [...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)), ...tokens]
  return all.map((text, rank) => `${base64(text)} ${rank}`)
}

const read = (lines: readonly string[]) =>
  Tokenizer.fromTiktoken(utf8.encode(lines.join("\n")), { specials: ["<|x|>"] })

test("tokenizer.model: ranks may come in any order, lines may end in CR LF", () => {
  const lines = tiktoken(["he", "ll", "hell", "hello"])
  const tokenizer = Tokenizer.fromTiktoken(utf8.encode(`${lines.toReversed().join("\r\n")}\r\n`), {
    specials: [],
  })
  expect(tokenizer.encode("hello hell hel")).toEqual([259, 32, 258, 32, 256, 108])
  expect(tokenizer.size).toBe(260)
  expect(tokenizer.decode(tokenizer.encode("hello hell hel"))).toBe("hello hell hel")
  expect(tokenizer.encode("hello")).toEqual([259])
  expect(tokenizer.bos).toBeUndefined()
})

test("tokenizer.model: what is wrong is said with its line", () => {
  const lines = tiktoken(["ab"])
  const damaged: [string[], RegExp][] = [
    [[], /empty/],
    [[...lines, "nonsense"], /line 258: found no space/],
    [[...lines, "YWI* 257"], /line 258: found the byte 0x2a in base64/],
    [[...lines, "YWI 257"], /no multiple of 4/],
    [[...lines, " 257"], /an empty token/],
    [[...lines, "YWJj 5"], /line 258: found rank 5 a second time/],
    [[...lines, "YWJj 999999"], /rank 999999, but the file has 258 tokens/],
    [[...lines, "YWJj 99999999999999"], /too many digits/],
    [[...lines, "YWJj -1"], /no number/],
    [[...lines, `${base64("ab")} 257`], /the same token the ranks 256 and 257/],
    [lines.slice(1, 200).map((line, rank) => `${line.split(" ")[0]} ${rank}`), /no token for the byte 0x00/],
    [[...lines, `${base64("x".repeat(5000))} 257`], /5000 bytes, expected at most 1024/],
  ]
  for (const [file, message] of damaged) {
    expect(() => read(file), String(message)).toThrow(message)
    expect(() => read(file)).toThrow(InvalidFileError)
  }
})

test("tokenizer.model: random damage never hangs and is always a typed error", () => {
  const good = utf8.encode(tiktoken(["ab", "bc", "abc", "he", "hello"]).join("\n"))
  let state = 11
  const next = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below
  for (let run = 0; run < 200; run++) {
    const bytes = good.slice(0, run % 3 === 0 ? next(good.length) : good.length)
    for (let flips = next(4); flips >= 0 && bytes.length > 0; flips--)
      bytes[next(bytes.length)] ^= 1 << next(8)
    try {
      Tokenizer.fromTiktoken(bytes).encode("hello abc")
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidFileError)
    }
  }
})

/** Text in GPT-2's alphabet, for characters of which only the space differs. */
const printable = (text: string) => text.replaceAll(" ", "Ġ")

function tokenizerJson(model: object = {}, root: object = {}): Record<string, unknown> {
  const vocab: Record<string, number> = {}
  let others = 0
  for (let byte = 0; byte < 256; byte++) {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
    vocab[String.fromCharCode(prints ? byte : 256 + others++)] = byte
  }
  for (const [index, text] of ["ab", " a", "abc", "bc", "xyz"].entries()) vocab[printable(text)] = 256 + index
  return {
    added_tokens: [
      { id: 300, content: "<|begin_of_text|>", special: true },
      { id: 301, content: "<note>", special: false },
    ],
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: " ?\\p{L}+|\\s+|[^\\s\\p{L}]+" },
          behavior: "Isolated",
          invert: false,
        },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: {
      type: "Sequence",
      processors: [
        { type: "ByteLevel" },
        {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "<|begin_of_text|>" } }, { Sequence: {} }],
        },
      ],
    },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab, merges: ["b c", ["a", "b"], "ab c", "Ġ a"], ignore_merges: false, ...model },
    ...root,
  }
}

test("tokenizer.json: merges decide, and whole tokens only where the file says so", () => {
  const merging = Tokenizer.fromTokenizerJson(tokenizerJson())
  // "b c" merges first, so "abc" is never made; "xyz" has no merges at all.
  expect(merging.encode("abc")).toEqual([97, 259])
  expect(merging.encode("xyz ab")).toEqual([120, 121, 122, 32, 256])
  const whole = Tokenizer.fromTokenizerJson(JSON.stringify(tokenizerJson({ ignore_merges: true })))
  expect(whole.encode("abc")).toEqual([258])
  expect(whole.encode("xyz")).toEqual([260])
  expect(whole.encode("abcc")).toEqual([97, 259, 99])
  expect([whole.bos, whole.addsBos, whole.size]).toEqual([300, true, 302])
  expect(whole.encode("a<note>b", { bos: true, special: true })).toEqual([300, 97, 301, 98])
  expect(whole.decode([300, 97, 301, 98])).toBe("a<note>b")
})

test("tokenizer.json: several pre-tokenizers cut one after the other", () => {
  const pre_tokenizer = {
    type: "Sequence",
    pretokenizers: [
      { type: "Digits", individual_digits: true },
      { type: "Split", pattern: { String: "b." }, behavior: "Isolated" },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  }
  const tokenizer = Tokenizer.fromTokenizerJson(tokenizerJson({ ignore_merges: true }, { pre_tokenizer }))
  expect(tokenizer.encode("ab.ab1ab")).toEqual([97, 98, 46, 256, 49, 256])
  expect(tokenizer.encode("abc")).toEqual([258])
})

test("tokenizer.json: what cannot be done exactly is refused", () => {
  const step = (type: string, more: object = {}) => ({ pre_tokenizer: { type, ...more } })
  const refused: [object, object][] = [
    [{ type: "Unigram" }, {}],
    [{ byte_fallback: true }, {}],
    [{ dropout: 0.1 }, {}],
    [{ unk_token: "<unk>" }, {}],
    [{}, { normalizer: { type: "NFC" } }],
    [{}, { decoder: { type: "WordPiece" } }],
    [{}, { pre_tokenizer: null }],
    [{}, step("Metaspace")],
    [{}, step("ByteLevel", { add_prefix_space: true })],
    [
      {},
      step("Sequence", {
        pretokenizers: [
          { type: "Split", pattern: { Regex: "a" }, behavior: "Removed" },
          { type: "ByteLevel" },
        ],
      }),
    ],
    [{}, { post_processor: { type: "BertProcessing" } }],
    [{}, { added_tokens: [{ id: 300, content: "x", lstrip: true }] }],
  ]
  for (const [model, root] of refused)
    expect(
      () => Tokenizer.fromTokenizerJson(tokenizerJson(model, root)),
      JSON.stringify([model, root]),
    ).toThrow(UnsupportedError)
})

test("tokenizer.json: damage is a typed error", () => {
  const vocab = (tokenizerJson().model as { vocab: Record<string, number> }).vocab
  const damaged: unknown[] = [
    "{",
    "[]",
    null,
    42,
    {},
    tokenizerJson({ merges: 3 }),
    tokenizerJson({ merges: ["a"] }),
    tokenizerJson({ merges: ["a b c"] }),
    tokenizerJson({ merges: [["a", "nothing"]] }),
    tokenizerJson({ merges: [[1, 2]] }),
    tokenizerJson({ vocab: [] }),
    tokenizerJson({ vocab: { ...vocab, new: 5 } }),
    tokenizerJson({ vocab: { ...vocab, new: 1e9 } }),
    tokenizerJson({ vocab: { ...vocab, new: 900_000 } }),
    tokenizerJson({ vocab: { ...vocab, new: -1 } }),
    tokenizerJson({ vocab: { ...vocab, new: "5" } }),
    tokenizerJson({ vocab: { ...vocab, 語: 270 } }),
    tokenizerJson({ vocab: { a: 0 } }),
    tokenizerJson({}, { added_tokens: [{ id: 300 }] }),
    tokenizerJson({}, { added_tokens: [] }),
    tokenizerJson({}, { pre_tokenizer: { type: "Sequence" } }),
  ]
  for (const [index, json] of damaged.entries())
    expect(() => Tokenizer.fromTokenizerJson(json), `case ${index}`).toThrow(InvalidFileError)
})

test("a pattern that reads the rest of the text for every match is refused, not run", () => {
  const pretokenizers = [
    { type: "Split", pattern: { Regex: "a|[ab]*c" }, behavior: "Isolated" },
    { type: "ByteLevel", add_prefix_space: false, use_regex: false },
  ]
  const tokenizer = Tokenizer.fromTokenizerJson(
    tokenizerJson({}, { pre_tokenizer: { type: "Sequence", pretokenizers } }),
  )
  expect(tokenizer.encode("aabab")).toEqual([97, 97, 98, 97, 98])
  expect(() => tokenizer.encode("b".repeat(100_000))).toThrow(UnsupportedError)
})

function gguf(changes: Record<string, unknown> = {}): Map<string, unknown> {
  const { model, added_tokens } = tokenizerJson() as {
    model: { vocab: Record<string, number> }
    added_tokens: { id: number; content: string }[]
  }
  const tokens = Array.from({ length: 302 }, (_, id) => `[unused${id}]`)
  const types = Array.from({ length: 302 }, () => 5)
  for (const [text, id] of Object.entries(model.vocab)) [tokens[id], types[id]] = [text, 1]
  for (const { id, content } of added_tokens) [tokens[id], types[id]] = [content, id === 300 ? 3 : 4]
  return new Map(
    Object.entries({
      model: "gpt2",
      pre: "llama-bpe",
      tokens,
      token_type: Int32Array.from(types),
      merges: ["b c", "a b", "ab c", "Ġ a"],
      bos_token_id: 300,
      ...changes,
    }).map(([key, value]) => [`tokenizer.ggml.${key}`, value]),
  )
}

test("GGUF: byte-level BPE, whole tokens by the pre-tokenizer's name", () => {
  const llama = Tokenizer.fromGguf(gguf())
  expect(llama.encode("abc abcc<note>", { special: true, bos: true })).toEqual([300, 258, 257, 259, 99, 301])
  expect(llama.addsBos).toBe(true)
  expect(llama.isSpecial(300)).toBe(true)
  expect(llama.isSpecial(301)).toBe(false)
  const gpt2 = Tokenizer.fromGguf(gguf({ pre: "gpt-2", add_bos_token: false }))
  expect(gpt2.encode("abc")).toEqual([97, 259])
  expect(gpt2.addsBos).toBe(false)
})

test("GGUF: refusals and damage", () => {
  expect(() => Tokenizer.fromGguf(new Map())).toThrow(InvalidFileError)
  for (const changes of [{ model: "bert" }, { pre: "unheard-of" }, { pre: "__proto__" }])
    expect(() => Tokenizer.fromGguf(gguf(changes)), JSON.stringify(changes)).toThrow(UnsupportedError)
  const damaged = [
    { tokens: "none" },
    { tokens: [] },
    { tokens: [1, 2] },
    { token_type: [1] },
    { token_type: Array.from({ length: 302 }, () => "1") },
    { merges: ["q"] },
    { bos_token_id: 302 },
    { bos_token_id: -1 },
    { tokens: Array.from({ length: 302 }, () => "same") },
  ]
  for (const changes of damaged)
    expect(() => Tokenizer.fromGguf(gguf(changes)), JSON.stringify(changes).slice(0, 80)).toThrow(
      InvalidFileError,
    )
})

test("GGUF: SentencePiece with scores", () => {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  )
  const words = ["\u2581", "a", "b", "ab", "\u2581a", "ba", "\u2581ab"]
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words]
  const token_type = [2, 3, 3, ...bytes.map(() => 6), ...words.map(() => 1)]
  const scores = tokens.map((_, id) => (id < 259 ? 0 : 259 - id))
  const changes = { model: "llama", tokens, token_type, scores, bos_token_id: 1, eos_token_id: 2 }
  const tokenizer = Tokenizer.fromGguf(gguf(changes))
  // "ab" has the best score; U+2581 in a text is a space; what is no token becomes bytes.
  expect(tokenizer.encode("ab\u2581aé", { bos: true })).toEqual([1, 265, 263, 3 + 0xc3, 3 + 0xa9])
  expect(tokenizer.decode([1, 265, 263, 3 + 0xc3, 3 + 0xa9])).toBe("ab aé")
  expect(Tokenizer.fromGguf(gguf({ ...changes, add_space_prefix: false })).encode("ab")).toEqual([262])
  expect(() => Tokenizer.fromGguf(gguf({ ...changes, scores: undefined }))).toThrow(InvalidFileError)
  expect(() => Tokenizer.fromGguf(gguf({ ...changes, scores: tokens.map(() => Number.NaN) }))).toThrow(
    InvalidFileError,
  )
  expect(() => Tokenizer.fromGguf(gguf({ ...changes, token_type: token_type.fill(1) }))).toThrow(
    UnsupportedError,
  )
})

test("tokenizer.bin: wrong sizes and cut files", () => {
  const file = new Uint8Array(4 + 300 * 9)
  const view = new DataView(file.buffer)
  for (let id = 0; id < 300; id++) {
    view.setInt32(4 + 9 * id + 4, 1, true)
    file[4 + 9 * id + 8] = id
  }
  const tokenizer = Tokenizer.fromLlama2c(file, 300)
  expect(tokenizer.encode("A")).toEqual([288, 3 + 65]) // token 288 is a space, "A" only a byte
  for (const size of [0, -1, 1.5, Number.NaN, 258, 301, 1e9])
    expect(() => Tokenizer.fromLlama2c(file, size), String(size)).toThrow(InvalidFileError)
  expect(() => Tokenizer.fromLlama2c(file.subarray(0, 2700), 300)).toThrow(InvalidFileError)
  view.setInt32(4 + 9 * 100 + 4, -1, true)
  expect(() => Tokenizer.fromLlama2c(file, 300)).toThrow(/token 100 has the length 4294967295/)
})
