// Simple sentences of the grid in words/sentences.ts, in one language or the same in several.
import { finish, nounEntity } from "./grammar.js"
import type { LanguageCode } from "./language.js"
import type { Lexicon } from "./lexicon.js"
import type { Random } from "./random.js"
import { type Bindings, expand } from "./template.js"

/** A simple sentence of the grid in one language, or the same in several. */
export function sentenceIn(lexicons: readonly Lexicon[], random: Random): string[] {
  const [first] = lexicons
  if (random.chance(0.15)) {
    const at = random.between(0, first.phrases.length - 1)
    return lexicons.map(({ phrases }) => phrases[at])
  }
  const row = random.between(0, first.sentences.length - 1)
  const person = random.chance(0.55)
  const subject = random.between(0, (person ? first.people : first.animals).length - 1)
  const thing = random.between(0, first.things.length - 1)
  const colour = random.chance(0.5) ? random.between(0, first.colours.length - 1) : -1
  const food = random.between(0, first.foods.length - 1)
  const place = random.between(0, first.places.length - 1)
  return lexicons.map((lexicon) => {
    const { code } = lexicon
    const bindings: Bindings = {
      s: nounEntity(code, (person ? lexicon.people : lexicon.animals)[subject]),
      o: nounEntity(code, lexicon.things[thing], lexicon.colours[colour]),
      e: nounEntity(code, lexicon.foods[food]),
      p: lexicon.places[place],
    }
    return finish(code, expand(lexicon.sentences[row], bindings, random)) + stops[code]
  })
}

const stops: Record<LanguageCode, string> = {
  en: ".",
  de: ".",
  fr: ".",
  it: ".",
  pt: ".",
  es: ".",
  hi: "।",
  th: "",
  ja: "。",
}
