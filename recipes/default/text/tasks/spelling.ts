// Slips of the pen: one or two small errors in a sentence, as people make them in that script.
import type { LanguageCode } from "../language.js"
import type { Random } from "../random.js"

/** Pairs that are confused in scripts without case. */
const confused: Partial<Record<LanguageCode, readonly (readonly [string, string])[]>> = {
  hi: [
    ["ि", "ी"],
    ["ु", "ू"],
    ["श", "स"],
    ["ण", "न"],
    ["ं", ""],
    ["े", "ै"],
  ],
  th: [
    ["ู", "ุ"],
    ["ี", "ิ"],
    ["่", "้"],
    ["ร", "ล"],
    ["่", ""],
    ["้", ""],
  ],
  ja: [
    ["は", "わ"],
    ["を", "お"],
    ["い", "え"],
    ["っ", "つ"],
    ["ょ", "よ"],
    ["で", "て"],
    ["が", "か"],
    ["ます", "まづ"],
  ],
}

/** The sentence with one or two errors; never the sentence itself. */
export function misspell(sentence: string, code: LanguageCode, random: Random): string {
  let out = sentence
  for (let left = random.between(1, 2); left > 0; left--) out = slip(out, code, random)
  for (let tries = 0; tries < 20 && out === sentence; tries++) out = slip(sentence, code, random)
  // a sentence without any of the confused letters: one letter twice
  return out === sentence ? sentence.slice(0, 2) + sentence.slice(1) : out
}

function slip(text: string, code: LanguageCode, random: Random): string {
  const pairs = confused[code]
  if (pairs !== undefined) {
    const [from, to] = random.pick(pairs)
    if (text.includes(from)) return replaceOne(text, from, to, random)
    if (to !== "" && text.includes(to)) return replaceOne(text, to, from, random)
    return text
  }
  const words = [...text.matchAll(/\p{L}{3,}/gu)]
  if (words.length === 0) return text
  const word = random.pick(words)
  const at = word.index + random.between(1, word[0].length - 2)
  const choice = random.next()
  const [before, here, next, after] = [text.slice(0, at), text[at], text[at + 1], text.slice(at + 2)]
  if (choice < 0.35) return before + next + here + after
  if (choice < 0.6) return before + next + after
  if (choice < 0.8) return before + here + here + next + after
  if (code === "de" && choice < 0.9)
    return text.slice(0, word.index) + lowered(word[0]) + text.slice(word.index + word[0].length)
  return text.slice(0, at) + here.normalize("NFD").charAt(0) + next + after
}

const lowered = (word: string) => word.charAt(0).toLowerCase() + word.slice(1)

function replaceOne(text: string, from: string, to: string, random: Random): string {
  const places = [...text.matchAll(new RegExp(from, "g"))].map(({ index }) => index)
  const at = random.pick(places)
  return text.slice(0, at) + to + text.slice(at + from.length)
}
