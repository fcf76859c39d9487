// Small talk, what the model is, facts, what it does not know, sums and lists.
import type { Check } from "../check.js"
import type { Category } from "../language.js"
import { categoryNames } from "../language.js"
import type { Bindings } from "../template.js"
import type { Example, Room, Task } from "./example.js"

export const talk: Task = (room) => {
  const cast = room.cast()
  const { question, answer } = room.pair(room.language.talk, cast)
  return room.turn("talk", question, answer, [{ type: "equals", value: answer }])
}

export const identity: Task = (room) => {
  const { question, answer } = room.pair(room.language.identity)
  return room.turn("identity", question, answer, [{ type: "equals", value: answer }])
}

export const unknown: Task = (room) => {
  const { questions, answers } = room.language.unknown
  const written = answers.map((answer) => room.write(answer))
  const question = room.write(questions, room.cast())
  return room.turn("unknown", question, room.random.pick(written), [{ type: "any", values: written }])
}

/** One fact: what is asked, what is answered, and the word that has to be in the answer. */
function factOf(room: Room): { pair: { question: string; answer: string }; word?: string } {
  const { language, lexicon, random } = room
  const next = (list: readonly string[], step: number) => {
    const at = random.between(0, list.length - 1)
    return { x: list[at], y: list[(at + step + list.length) % list.length] }
  }
  const choice = random.next()
  if (choice < 0.36) {
    const { country, capital, continent } = random.pick(lexicon.countries)
    const slots = { c: country, k: capital, t: continent }
    if (random.chance(0.6)) return { pair: room.pair(language.capital.pairs, slots), word: capital }
    if (random.chance(0.5)) return { pair: room.pair(language.continent.pairs, slots), word: continent }
    return { pair: room.pair(language.capitalOf, slots), word: country.forms.bare }
  }
  if (choice < 0.54) {
    const pair = random.pick(lexicon.opposites)
    const [x, y] = random.chance(0.5) ? pair : [pair[1], pair[0]]
    return { pair: room.pair(language.opposite.pairs, { x, y }), word: y }
  }
  if (choice < 0.6) {
    const slots = next(lexicon.days, 1)
    return { pair: room.pair(language.dayAfter, slots), word: slots.y }
  }
  if (choice < 0.64) {
    const slots = next(lexicon.days, -1)
    return { pair: room.pair(language.dayBefore, slots), word: slots.y }
  }
  if (choice < 0.7) {
    const slots = next(lexicon.months, 1)
    return { pair: room.pair(language.monthAfter, slots), word: slots.y }
  }
  return { pair: room.pair(language.facts) }
}

export const facts: Task = (room) => {
  const { pair, word } = factOf(room)
  const check: Check =
    word === undefined ? { type: "equals", value: pair.answer } : { type: "contains", values: [word] }
  return room.turn("facts", pair.question, pair.answer, [check, room.spoken()])
}

export const sums: Task = (room) => {
  const { language, lexicon, random } = room
  const choice = random.next()
  if (choice < 0.15) {
    const x = random.between(0, 9)
    const y = x + random.between(2, 8)
    const list = Array.from({ length: y - x + 1 }, (_, i) => x + i).join(", ")
    return room.turn("sums", room.write(language.countAsk, { x, y }), list, [{ type: "equals", value: list }])
  }
  if (choice < 0.25) {
    const x = random.between(0, 19)
    const words = random.chance(0.5)
    const show = (value: number) => (words ? lexicon.numbers[value] : value)
    const { question, answer } = room.pair(language.nextNumber, { x: show(x), y: show(x + 1) })
    return room.turn("sums", question, answer, [{ type: "equals", value: answer }])
  }
  const slots: Record<string, number> = {}
  let pairs = language.plus
  if (choice < 0.6) {
    slots.z = random.between(0, 20)
    slots.x = random.between(0, slots.z)
    slots.y = slots.z - slots.x
  } else if (choice < 0.85) {
    pairs = language.minus
    slots.x = random.between(0, 20)
    slots.y = random.between(0, slots.x)
    slots.z = slots.x - slots.y
  } else {
    pairs = language.times
    slots.x = random.between(1, 10)
    slots.y = random.between(1, slots.x > 5 ? 5 : 10)
    slots.z = slots.x * slots.y
  }
  const { question, answer } = room.pair(pairs, slots)
  return room.turn("sums", question, answer, [
    { type: "matches", pattern: `(?<!\\d)${slots.z}(?!\\d)\\s*[.。।]?\\D*$` },
  ])
}

/** All members of a category, in this language. */
function members(room: Room, category: Category): readonly string[] {
  const { lexicon } = room
  const words = (list: readonly { word: string }[]) => list.map(({ word }) => word)
  switch (category) {
    case "animals":
      return words(lexicon.animals)
    case "foods":
      return words(lexicon.foods)
    case "things":
      return words(lexicon.things)
    case "colours":
      return lexicon.colourNames.map((name) => name.replace(/^(le|il|el) /, "")) // a bare name in a list
    case "days":
      return lexicon.days
    case "months":
      return lexicon.months
    case "cities":
      return lexicon.countries.map(({ capital }) => capital)
    case "countries":
      return lexicon.countries.map(({ country }) => country.forms.bare)
    case "jobs":
      return lexicon.jobs.map(([man]) => man)
  }
}

export const lists: Task = (room): Example => {
  const { language, lexicon, random } = room
  const category = random.pick(categoryNames)
  const count = random.pick([2, 3, 3, 3, 4, 5])
  const all = members(room, category)
  const chosen = random.sample(all, count)
  const commas = random.chance(0.3)
  const separator = room.code === "ja" ? "、" : ", "
  const slots: Bindings = {
    n: random.chance(0.7) ? lexicon.numbers[count] : count,
    c: language.categories[category],
  }
  const question = room.write(commas ? language.commaAsk : language.listAsk, slots)
  const answer = commas ? chosen.join(separator) : chosen.map((item, i) => `${i + 1}. ${item}`).join("\n")
  const item = `(?:${all.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`
  const pattern = commas
    ? `^${item}(?:[,、] ?${item}){${count - 1}}\\.?$`
    : `^1\\. ${item}${Array.from({ length: count - 1 }, (_, i) => `\\n${i + 2}\\. ${item}`).join("")}$`
  return room.turn("lists", question, answer, [{ type: "matches", pattern }], {
    rejected: random.sample(all, count + 2).join(" "),
  })
}
