// Pre-tokenizer patterns by the name that GGUF files give them (`tokenizer.ggml.pre`): facts of the models.
import { llama3Pattern } from "./llama3.js"

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
const qwen2 = llama3Pattern.replace("\\p{N}{1,3}", "\\p{N}")
/** Marks join letters: words of scripts that write vowels as marks stay whole. */
const qwen35 = qwen2
  .replace("\\p{L}+", "[\\p{L}\\p{M}]+")
  .replace("[^\\s\\p{L}\\p{N}]", "[^\\s\\p{L}\\p{M}\\p{N}]")
const contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
const gpt4o = [
  `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+${contraction}`,
  `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*${contraction}`,
  "\\p{N}{1,3}",
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|")

export const patternsByName: Readonly<Record<string, string>> = {
  "llama-bpe": llama3Pattern,
  llama3: llama3Pattern,
  "llama-v3": llama3Pattern,
  "gpt-2": gpt2,
  qwen2,
  qwen35,
  "gpt-4o": gpt4o,
}

/** Names whose models take a whole piece that is a token as it is, without merging. */
export const wholeTokenPatterns: ReadonlySet<string> = new Set(["llama-bpe", "llama3", "llama-v3"])
