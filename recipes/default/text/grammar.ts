// What nouns and sentences need in each language: articles, cases, agreement of colours, contractions, capitals.
// Deliberately small: it holds for the words of this folder.
import type { LanguageCode } from "./language.js"
import type { Entity, Gender } from "./template.js"

/** A noun as the tables of words/ write it. */
export interface Noun {
  readonly word: string
  readonly gender: Gender
  /** German: the other cases; Hindi: the form before a postposition. */
  readonly oblique: string
}

const vowel = /^[aeiouyàâäéèêëîïôöùûüœæáíóúãõh]/i

export function parseNoun(code: LanguageCode, cell: string): Noun {
  const [word, mark = "", given] = cell.split(".")
  const gender: Gender = mark === "f" ? 1 : mark === "n" ? 2 : 0
  const usual = code === "hi" && gender === 0 && word.endsWith("ा") ? `${word.slice(0, -1)}े` : word
  return { word, gender, oblique: given ?? usual }
}

type Builder = (noun: Noun, colour: string | undefined) => Record<string, string>

/** Both forms of a Romance or Hindi colour: masculine / feminine. */
const agreeing = (colour: string, gender: Gender): string => {
  const [masculine, feminine = masculine] = colour.split("/")
  return gender === 1 ? feminine : masculine
}

const romance =
  (indefinite: (noun: Noun) => string, definite: (noun: Noun) => string): Builder =>
  (noun, colour) => {
    const n = colour === undefined ? noun.word : `${noun.word} ${agreeing(colour, noun.gender)}`
    return { n, a: `${indefinite(noun)}${n}`, the: `${definite(noun)}${n}` }
  }

const italianHeavy = /^(s[bcdfghlmnpqrtvz]|z|gn|ps)/i
const builders: Record<LanguageCode, Builder> = {
  en: ({ word }, colour) => {
    const n = colour === undefined ? word : `${colour} ${word}`
    return { n, a: `${/^[aeiou]/i.test(n) ? "an" : "a"} ${n}`, the: `the ${n}` }
  },
  de: ({ word, gender, oblique }, colour) => {
    const stem = colour ?? ""
    const adjective = (ending: string) => (stem === "" ? "" : `${stem}${ending} `)
    const indefinite = ["ein", "eine", "ein"][gender]
    const strong = adjective(["er", "e", "es"][gender])
    const accusative = adjective(["en", "e", "es"][gender])
    return {
      n: word,
      a: `${indefinite} ${strong}${word}`,
      the: `${["der", "die", "das"][gender]} ${adjective("e")}${word}`,
      aA: `${["einen", "eine", "ein"][gender]} ${accusative}${gender === 0 ? oblique : word}`,
      theA: `${["den", "die", "das"][gender]} ${adjective(gender === 0 ? "en" : "e")}${gender === 0 ? oblique : word}`,
      aD: `${["einem", "einer", "einem"][gender]} ${adjective("en")}${gender === 0 ? oblique : word}`,
      theD: `${["dem", "der", "dem"][gender]} ${adjective("en")}${gender === 0 ? oblique : word}`,
      m: `${strong}${word}`,
      mA: `${accusative}${gender === 0 ? oblique : word}`,
    }
  },
  fr: romance(
    ({ gender }) => (gender === 1 ? "une " : "un "),
    ({ word, gender }) => (vowel.test(word) ? "l'" : gender === 1 ? "la " : "le "),
  ),
  it: romance(
    ({ word, gender }) =>
      gender === 1 ? (vowel.test(word) ? "un'" : "una ") : italianHeavy.test(word) ? "uno " : "un ",
    ({ word, gender }) =>
      vowel.test(word) ? "l'" : gender === 1 ? "la " : italianHeavy.test(word) ? "lo " : "il ",
  ),
  pt: romance(
    ({ gender }) => (gender === 1 ? "uma " : "um "),
    ({ gender }) => (gender === 1 ? "a " : "o "),
  ),
  es: romance(
    ({ gender }) => (gender === 1 ? "una " : "un "),
    ({ gender }) => (gender === 1 ? "la " : "el "),
  ),
  hi: ({ word, gender, oblique }, colour) => {
    const before = (form: string) => (colour === undefined ? "" : `${form} `)
    const direct = before(agreeing(colour ?? "", gender))
    const bent = gender === 0 ? direct.replace(/ा $/, "े ") : direct
    return {
      n: `${direct}${word}`,
      a: `एक ${direct}${word}`,
      the: `${direct}${word}`,
      o: `${bent}${oblique}`,
    }
  },
  th: ({ word }, colour) => {
    const n = colour === undefined ? word : `${word}สี${colour}`
    return { n, a: n, the: n }
  },
  ja: ({ word }, colour) => {
    const n = colour === undefined ? word : `${colour}${word}`
    return { n, a: n, the: n }
  },
}

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/**
 * A noun with its forms: n (bare), a (with the indefinite article), the, in German also aA theA (accusative),
 * aD theD (dative) and m mA (after a possessive), in Hindi o (before a postposition); A and The are a and the with
 * a capital, `word` is without the colour and `colour` the colour alone.
 */
export function nounEntity(code: LanguageCode, noun: Noun, colour?: string): Entity {
  const forms = builders[code](noun, colour)
  // a thing of one colour is the same for every language's templates
  const extra = {
    A: upper(forms.a),
    The: upper(forms.the),
    word: noun.word,
    colour: colourAlone(code, noun, colour),
  }
  return { gender: noun.gender, main: forms.n, forms: { ...forms, ...extra } }
}

function colourAlone(code: LanguageCode, noun: Noun, colour: string | undefined): string {
  if (colour === undefined) return ""
  if (code === "de") return `${colour}es` // "etwas Rotes" is written with a capital by the template's finish
  if (code === "th") return `สี${colour}`
  return code === "hi" || code === "en" || code === "ja" ? agreeing(colour, noun.gender) : agreeing(colour, 0)
}

/** A colour as an adjective: m f n before or behind a noun of that gender, mA in German for the accusative. */
export function colourEntity(code: LanguageCode, colour: string): Entity {
  if (code === "de")
    return {
      gender: 0,
      main: colour,
      forms: { m: `${colour}er`, f: `${colour}e`, n: `${colour}es`, mA: `${colour}en` },
    }
  const main = code === "th" ? `สี${colour}` : agreeing(colour, 0)
  return { gender: 0, main, forms: { m: main, f: code === "th" ? main : agreeing(colour, 1) } }
}

const rules: Partial<Record<LanguageCode, readonly (readonly [RegExp, string])[]>> = {
  de: [
    [/\b([Zz])u dem\b/g, "$1um"],
    [/\b([Zz])u der\b/g, "$1ur"],
    [/\b([Vv])on dem\b/g, "$1om"],
    [/\b([Bb])ei dem\b/g, "$1eim"],
    [/\b([Ii])n dem\b/g, "$1m"],
  ],
  fr: [
    [/\b([Dd])e les /g, "$1es "],
    [/\b([Dd])e le /g, "$1u "],
    [/(?<![\p{L}])([Àà]) les /gu, "$1ux "],
    [/(?<![\p{L}])à le /gu, "au "],
    [/(?<![\p{L}-])([DdJjNnSsMmTtLl]|[Qq]u)e (?=[aeiouéèêâîôûœhAEIOUÉÈÊÂÎÔÛŒH])/gu, "$1'"],
    [/(?<![\p{L}-])([smt])a (?=[aeiouéèêâîôûœh])/gu, "$1on "],
    [/\bsi (ils?)\b/g, "s'$1"],
  ],
  it: (["di:del", "a:al", "da:dal", "in:nel", "su:sul"] as const).flatMap((pair) => {
    const [from, to] = pair.split(":")
    return [
      [new RegExp(`(?<![\\p{L}])${from} il `, "gu"), `${to} `],
      [new RegExp(`(?<![\\p{L}])${from} lo `, "gu"), `${to}lo `],
      [new RegExp(`(?<![\\p{L}])${from} la `, "gu"), `${to}la `],
      [new RegExp(`(?<![\\p{L}])${from} l'`, "gu"), `${to}l'`],
      [new RegExp(`(?<![\\p{L}])${from} i `, "gu"), `${to.slice(0, -1)}i `],
    ] as const
  }),
  pt: [
    [/(?<![\p{L}])([Dd])e (os?|as?) /gu, "$1$2 "],
    [/(?<![\p{L}])em (os?|as?) /gu, "n$1 "],
    [/(?<![\p{L}])a (os?) /gu, "a$1 "],
    [/(?<![\p{L}])a a /gu, "à "],
    [/(?<![\p{L}])por (os?|as?) /gu, "pel$1 "],
  ],
  es: [
    [/(?<![\p{L}])([Dd])e el /gu, "$1el "],
    [/(?<![\p{L}])a el /gu, "al "],
    [/ y (?=[Ii](?!e)|Hi)/g, " e "],
  ],
}

const cased: ReadonlySet<LanguageCode> = new Set(["en", "de", "fr", "it", "pt", "es"])

/** Contractions, and single spaces. */
export function contract(code: LanguageCode, text: string): string {
  let out = text
  for (const [pattern, to] of rules[code] ?? []) out = out.replace(pattern, to)
  return out.replace(/ {2,}/g, " ").replace(/^ +| +$/gm, "")
}

/** `contract`, and a capital where a sentence begins. */
export function finish(code: LanguageCode, text: string): string {
  const out = contract(code, text)
  if (!cased.has(code)) return out
  // "? dit Emma" goes on with the sentence
  return out.replace(
    /((?:^|[.!?…] |\n)[“„«¿¡]*|: [“„«] ?[¿¡]?)( ?)(?!(?:dit|demanda|cria|murmura)(?!\p{L}))(\p{Ll})/gu,
    (_, before: string, space: string, letter: string) => `${before}${space}${letter.toUpperCase()}`,
  )
}
