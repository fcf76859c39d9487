// The slots that stories, passages and questions may use, filled by chance.
import { nounEntity } from "./grammar.js"
import type { Language, LanguageCode } from "./language.js"
import { type Lexicon, randomColour, randomNoun } from "./lexicon.js"
import type { Random } from "./random.js"
import type { Bindings, Entity, Gender } from "./template.js"

/** So many names at the end of each list are kept for held-out prompts. */
const heldOutNames = 4

const person = (name: string, gender: Gender): Entity => ({ gender, main: name, forms: {} })

const article = (word: string) => `${/^[aeiou]/i.test(word) ? "an" : "a"} ${word}`

/** Two different persons. */
function twoPersons(language: Language, random: Random, heldOut: boolean): Entity[] {
  const named = (all: readonly string[], gender: Gender) =>
    (heldOut ? all.slice(-heldOutNames) : all.slice(0, -heldOutNames)).map((name) => person(name, gender))
  return random.sample([...named(language.men, 0), ...named(language.women, 1)], 2)
}

/** A day of the week; `on` is "on Monday" where that is more than the name. */
function dayEntity(code: LanguageCode, day: string): Entity {
  const on: Partial<Record<LanguageCode, string>> = {
    pt: `${day.endsWith("feira") ? "na" : "no"} ${day}`,
    es: `el ${day}`,
  }
  return { gender: 0, main: day, forms: { on: on[code] ?? day } }
}

/** Every slot of language.ts that does not depend on the task. */
export function castOf(language: Language, lexicon: Lexicon, random: Random, heldOut = false) {
  const [h, f] = twoPersons(language, random, heldOut)
  const [a, b] = random.sample(lexicon.animals, 2).map((noun) => nounEntity(lexicon.code, noun))
  const [e, e2] = random.sample(lexicon.foods, 2).map((noun) => nounEntity(lexicon.code, noun))
  const [k, k2] = random.sample(language.towns, 2)
  const job = random.pick(lexicon.jobs)
  const jobEntity = (gender: Gender): Entity => ({
    gender,
    main: job[gender === 1 ? 1 : 0],
    forms: { a: article(job[gender === 1 ? 1 : 0]) },
  })
  return {
    h,
    f,
    a,
    b,
    e,
    e2,
    k,
    k2,
    o: randomNoun(lexicon, lexicon.objects, random, true),
    p: random.pick(lexicon.places),
    c: randomColour(lexicon, random),
    d: dayEntity(lexicon.code, random.pick(lexicon.days)),
    m: random.pick(lexicon.months),
    n: random.between(5, 12),
    r: random.pick(language.pets),
    g: random.pick(lexicon.dishes),
    j: jobEntity(h.gender),
    jm: jobEntity(0),
    jf: jobEntity(1),
  } satisfies Bindings
}
