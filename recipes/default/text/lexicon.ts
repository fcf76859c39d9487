// The tables of words/, read for one language.
import { colourEntity, nounEntity, parseNoun, type Noun } from "./grammar.js"
import { languageCodes, type LanguageCode } from "./language.js"
import type { Random } from "./random.js"
import type { Entity } from "./template.js"
import * as facts from "./words/facts.js"
import * as nouns from "./words/nouns.js"
import * as whole from "./words/sentences.js"

export interface Country {
  readonly country: Entity
  readonly capital: string
  readonly continent: string
}

export interface Lexicon {
  readonly code: LanguageCode
  readonly animals: readonly Noun[]
  readonly objects: readonly Noun[]
  /** Things of every size. */
  readonly things: readonly Noun[]
  readonly foods: readonly Noun[]
  readonly people: readonly Noun[]
  readonly dishes: readonly string[]
  readonly colours: readonly string[]
  readonly colourNames: readonly string[]
  readonly places: readonly Entity[]
  readonly jobs: readonly (readonly [man: string, woman: string])[]
  readonly countries: readonly Country[]
  readonly opposites: readonly (readonly [string, string])[]
  readonly days: readonly string[]
  readonly months: readonly string[]
  readonly numbers: readonly string[]
  readonly sentences: readonly string[]
  readonly phrases: readonly string[]
}

/**
 * One column of a table.
 * @throws Error that shows the row without nine columns: a mistake in the text of this folder.
 */
function column(table: string, code: LanguageCode): string[] {
  return cells(table).map((row) => row[languageCodes.indexOf(code)])
}

function cells(table: string, more = 0): string[][] {
  return table
    .trim()
    .split("\n")
    .map((line) => {
      const row = splitCells(line)
      if (row.length !== languageCodes.length + more)
        throw new Error(`a row has ${row.length} columns: ${line}`)
      return row
    })
}

/** Cuts at bars that stand outside braces. */
function splitCells(line: string): string[] {
  const row = [""]
  let depth = 0
  for (const char of line) {
    if (char === "{") depth++
    if (char === "}") depth--
    if (char === "|" && depth === 0) row.push("")
    else row[row.length - 1] += char
  }
  return row.map((cell) => cell.trim())
}

const pairOf = (cell: string, separator: string): readonly [string, string] => {
  const [left, right = left] = cell.split(separator).map((part) => part.trim())
  return [left, right]
}

export function lexiconOf(code: LanguageCode): Lexicon {
  const at = languageCodes.indexOf(code)
  const nounsOf = (table: string) => column(table, code).map((cell) => parseNoun(code, cell))
  const list = (table: string) => column(table, code)[0].split(", ")
  const continents = new Map(cells(facts.continents, 1).map(([key, ...names]) => [key, names[at]]))
  return {
    code,
    animals: nounsOf(nouns.animals),
    objects: nounsOf(nouns.objects),
    things: [...nounsOf(nouns.objects), ...nounsOf(nouns.largeObjects)],
    foods: nounsOf(nouns.foods),
    people: nounsOf(whole.people),
    dishes: column(nouns.dishes, code),
    colours: column(nouns.colours, code),
    colourNames: column(nouns.colourNames, code),
    places: column(nouns.places, code).map((cell) => {
      const [inside, to] = pairOf(cell, " / ")
      return { gender: 0, main: inside, forms: { in: inside, to } }
    }),
    jobs: column(nouns.jobs, code).map((cell) => pairOf(cell, "/")),
    countries: cells(facts.countries, 1).map((row) => {
      const [country, capital] = pairOf(row[at], ">")
      return { country: countryEntity(country), capital, continent: continents.get(row[9])! }
    }),
    opposites: column(facts.opposites, code).map((cell) => pairOf(cell, ">")),
    days: list(facts.days),
    months: list(facts.months),
    numbers: list(facts.numbers),
    sentences: column(whole.sentences, code),
    phrases: column(whole.phrases, code),
  }
}

/** `of` is German: "von Japan", "der Schweiz"; `bare` is without the article. */
function countryEntity(name: string): Entity {
  const of = name.startsWith("die ") ? name.replace("die ", "der ") : `von ${name}`
  return { gender: 0, main: name, forms: { of, bare: name.replace(/^(the|die|la|le|il|o|a|el) |^l'/, "") } }
}

/** A noun by chance, with a colour where one is wanted. */
export function randomNoun(
  lexicon: Lexicon,
  list: readonly Noun[],
  random: Random,
  coloured = false,
): Entity {
  return nounEntity(lexicon.code, random.pick(list), coloured ? random.pick(lexicon.colours) : undefined)
}

export function randomColour(lexicon: Lexicon, random: Random): Entity {
  return colourEntity(lexicon.code, random.pick(lexicon.colours))
}
