// Lists that come again and again, for pretraining: letters, digits, words of the language and words that nobody has seen
// before. What comes next can be known only from the text itself, so a small model learns early to look back and copy.
import type { LanguageCode } from "./language.js"
import type { Random } from "./random.js"

const latin = "abcdefghijklmnopqrstuvwxyz"
const scripts: Readonly<Partial<Record<LanguageCode, string>>> = {
  hi: "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
  th: "กขคงจฉชซญณดตถทธนบปผฝพฟภมยรลวศษสหอฮ",
  ja: "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん",
}
/** Syllables of invented words. */
const syllables: Readonly<Record<"latin" | "hi" | "th" | "ja", readonly string[]>> = {
  latin: product(Array.from("bdfgklmnprstvz"), Array.from("aeiou")),
  hi: product(Array.from("कगचजटडतदनपबमरलवसह"), ["", "ा", "ि", "ी", "ु", "े", "ो"]),
  th: product(Array.from("กคจชดตนบปพมรลวสหอ"), ["า", "ี", "ู", "ิน", "อง", "าย"]),
  ja: Array.from("かきくけこさしすせそたちてとなにねのはひふへほまみむめもやゆよらりるれろ"),
}

function product(first: readonly string[], second: readonly string[]): string[] {
  return first.flatMap((a) => second.map((b) => a + b))
}

/** A word that is in no dictionary: two to four syllables. */
export function inventedWord(code: LanguageCode, random: Random): string {
  const list = code === "hi" || code === "th" || code === "ja" ? syllables[code] : syllables.latin
  return Array.from({ length: random.between(2, 4) }, () => random.pick(list)).join("")
}

/** The words of texts that are longer than a letter; of languages without spaces, short pieces of the texts. */
export function wordsOf(code: LanguageCode, texts: readonly string[], random: Random): string[] {
  const parts = texts.flatMap((text) => text.match(/[\p{L}\p{M}]+/gu) ?? [])
  const spaced = code !== "th" && code !== "ja"
  const words = spaced
    ? parts.filter((part) => part.length > 1)
    : parts.filter((part) => part.length > 3).map((part) => pieceOf(part, random))
  return [...new Set(words)]
}

function pieceOf(text: string, random: Random): string {
  const from = random.between(0, text.length - 3)
  return text.slice(from, from + random.between(2, 4))
}

/** What one list is of: letters, numbers, these words, or words that nobody has seen before. */
export function itemOf(code: LanguageCode, words: readonly string[], random: Random): () => string {
  const letters = Array.from(scripts[code] ?? latin)
  const choice = random.next()
  if (choice < 0.25) return () => random.pick(letters)
  if (choice < 0.35) return () => String(random.between(0, 99))
  if (choice < 0.65) return () => random.pick(words)
  return () => inventedWord(code, random)
}

/** One list of 3 to 16 items, twice or more often: about 16 to 48 items together. */
export function repetition(code: LanguageCode, words: readonly string[], random: Random): string {
  const items = random.between(3, 16)
  const list = Array.from({ length: items }, itemOf(code, words, random)).join(" ")
  const times = Math.max(2, Math.round(random.between(16, 48) / items))
  return Array.from({ length: times }, () => list).join(random.pick(["\n", ", ", " ", ". "]))
}
