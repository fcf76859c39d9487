// A folder with a model that can chat, for tests: the random weights of test/goldens/tiny-llama with a made-up
// tokenizer of 512 tokens that has the special tokens of Llama 3. Its answers are random words of many scripts.
import { copyFile, mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const golden = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))

export const specialTokens = [
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<|python_tag|>",
]

const words =
  "the llama walks over mountains and finds a lake where water is cold Häuser fließen über señor garçon lembrança".split(
    " ",
  )
const scripts = ["日本語の文章", "こんにちは", "สวัสดีครับ", "นี่คือข้อความ", "नमस्ते", "यह एक वाक्य है", "🦙", "\n"]

export async function makeChatModel(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const file of ["config.json", "generation_config.json", "model.safetensors"])
    await copyFile(join(golden, file), join(folder, file))
  const letters = byteLetters()
  const spell = (text: string) => [...new TextEncoder().encode(text)].map((byte) => letters[byte]).join("")
  const vocab: Record<string, number> = {}
  let next = specialTokens.length
  for (const letter of letters) vocab[letter] = next++
  for (let round = 0; next < 512; round++) {
    for (const text of [...words.map((word) => ` ${word}`), ...scripts]) {
      const token = spell(round === 0 ? text : `${text}${",.!?;:-"[round % 7]}${round > 6 ? round : ""}`)
      if (next < 512 && !(token in vocab)) vocab[token] = next++
    }
  }
  const tokenizer = {
    version: "1.0",
    added_tokens: specialTokens.map((content, id) => ({ id, content, special: true })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab, merges: [] },
  }
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer))
  return folder
}

/** The letters by which byte-level BPE writes bytes: printable ones stand for themselves, others move up. */
function byteLetters(): string[] {
  let moved = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCodePoint(printable ? byte : moved++)
  })
}
