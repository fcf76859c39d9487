import { existsSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { exportGguf, exportTokenizerJson } from "./export.js"
import { Tokenizer } from "./tokenizer.js"

const shared = new URL("../../../shared/reference/", import.meta.url)
const text =
  "The quick brown fox, 12345 times; l'été, नमस्ते दुनिया, สวัสดีชาวโลก 🦙🦙\n\n  indented\tcode() { return `x` }  "

/** Metadata as a GGUF file read back has it. */
function metadataOf(tokenizer: Tokenizer): Map<string, unknown> {
  const { model, pre, tokens, tokenTypes, merges, scores, bos, eos, addsBos, addsSpacePrefix } =
    exportGguf(tokenizer)
  const entries = { model, pre, tokens, token_type: [...tokenTypes], merges, scores, add_bos_token: addsBos }
  const ends = { bos_token_id: bos, eos_token_id: eos, add_space_prefix: addsSpacePrefix }
  return new Map(
    Object.entries({ ...entries, ...ends })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [`tokenizer.ggml.${key}`, value]),
  )
}

test("Llama 3's vocabulary survives GGUF and tokenizer.json", (context) => {
  const file = new URL("llama3-tokenizer/tokenizer.model", shared)
  if (!existsSync(file)) return context.skip("../shared/reference/llama3-tokenizer is not there")
  const original = Tokenizer.fromTiktoken(readFileSync(file))
  const expected = original.encode(text)
  const json = JSON.stringify(exportTokenizerJson(original))
  for (const again of [Tokenizer.fromGguf(metadataOf(original)), Tokenizer.fromTokenizerJson(json)]) {
    expect(again.encode(text)).toEqual(expected)
    expect(again.decode(expected)).toBe(text)
    expect(again.special).toEqual(original.special)
    expect(again.bos).toBe(128000)
    expect(again.addsBos).toBe(true)
  }
})

test("llama2.c's vocabulary survives GGUF", (context) => {
  const file = new URL("stories260K/tok512.bin", shared)
  if (!existsSync(file)) return context.skip("../shared/reference/stories260K is not there")
  const original = Tokenizer.fromLlama2c(readFileSync(file), 512)
  const again = Tokenizer.fromGguf(metadataOf(original))
  const story = 'Once upon a time, there was a little girl named Lily. She said, "Hé, 🦙!"'
  expect(again.encode(story)).toEqual(original.encode(story))
  expect(again.decode(again.encode(story, { bos: true }))).toBe(story)
})
