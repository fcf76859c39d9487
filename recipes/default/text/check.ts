// What an answer has to be: the checks that stand beside every held-out prompt, and their verdict.
// Knows nothing of models.

export type Check =
  /** The same text but for white space, a stop at the end and, unless `cased`, case. */
  | { readonly type: "equals"; readonly value: string; readonly cased?: boolean }
  /** Every one of these texts occurs, whatever their case. */
  | { readonly type: "contains"; readonly values: readonly string[] }
  /** One of these occurs. */
  | { readonly type: "any"; readonly values: readonly string[] }
  | { readonly type: "matches"; readonly pattern: string }
  /** JSON of this value, the order of keys aside. */
  | { readonly type: "json"; readonly value: unknown }
  | { readonly type: "call"; readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }
  | { readonly type: "no-call" }
  | { readonly type: "language"; readonly language: string }
  /** So many sentences at most; in Thai, which marks no ends, any number. */
  | { readonly type: "sentences"; readonly most: number }
  /** Length in characters. */
  | { readonly type: "length"; readonly least?: number; readonly most?: number }

/** What a model answered. */
export interface Answer {
  readonly text: string
  readonly toolCalls?: readonly {
    readonly name: string
    readonly arguments: Readonly<Record<string, unknown>>
  }[]
}

const trimmed = (text: string) =>
  text
    .normalize("NFC")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\s*[.。।!?？]+$/u, "")
const plain = (text: string) => trimmed(text.toLowerCase())

/** A value with its keys in order, for comparison; numbers written as text count as numbers. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== "object" || value === null) return plain(String(value))
  const entries = Object.entries(value).map(([key, item]) => `${key}:${canonical(item)}`)
  return `{${entries.toSorted().join()}}`
}

function jsonIn(text: string): unknown {
  const match = /\{[^{}]*\}/.exec(text)
  try {
    return match === null ? undefined : JSON.parse(match[0])
  } catch {
    return undefined
  }
}

/** The small words of the languages in Latin letters; some belong to several. */
const stopWords: Readonly<Record<string, string>> = {
  en: "a an on in by at back the is are of and to you i am my your his her it they was were what with for that not do does did can has have after comes likes lives one two three four five six seven eight nine ten help sorry days year who small",
  de: "der die das ist sind und ich du sie er es ein eine einen dem den nicht mit zu von auf für wie was hat haben ihr sein war im am nach kommt wohnt heißt mag zwei drei vier fünf sechs sieben acht neun zehn kann bitte tage jahr im mag liegt macht ins bei sehr wir hier",
  fr: "a de par où autour cents sa rendu le les est sont et je tu il elle nous vous un une des du au aux ne pas avec pour que qui dans sur son sa ses était après vient habite s'appelle aime la en se trouve à y ce cette font leur les-vous très ici deux trois quatre cinq sept huit neuf dix mon ma c'est l' d' j' n' peux jours désolé",
  it: "sorge tramonta sole il lo gli è sono e io tu lui lei noi un una di della del dei al alla non con per che chi nel nella sul suo sua era dopo viene abita chiama piace la le i se si in a da fanno dà trova molto ogni questo qui due tre quattro cinque sei sette otto nove dieci mio mia posso giorni mi dispiace dell' l'",
  pt: "vai partir vão o os é são e eu você ele ela nós um uma do da dos das ao à não com para que quem no na seu sua era depois vem mora chama gosta a as se em fica fazem dá mais este aqui de dois duas três quatro cinco sete oito nove dez meu minha posso dias desculpe sinto muito em",
  es: "plantará partir le dio se y el los las es son y yo tú él ella un una del al no con para que quien en su sus era después viene vive llama gusta la se en a de hacen da más este aquí está dos tres cuatro cinco seis siete ocho nueve diez mi puedo días lo siento muy está estoy hay soy ayudar",
}
const wordSets = Object.entries(stopWords).map(([code, words]) => [code, new Set(words.split(" "))] as const)

/** The languages that a text may be written in: by script, and for Latin letters by the words most counted. */
export function languagesOf(text: string): string[] {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  const scripts: [string, number][] = [
    ["hi", count(/\p{Script=Devanagari}/gu)],
    ["th", count(/\p{Script=Thai}/gu)],
    ["ja", count(/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/gu)],
    ["latin", count(/\p{Script=Latin}/gu)],
  ]
  const [script, letters] = scripts.reduce((a, b) => (b[1] > a[1] ? b : a))
  if (letters === 0) return []
  if (script !== "latin") return [script]
  const words =
    text
      .toLowerCase()
      .replaceAll("’", "'")
      .replace(/(\b[dljnsmct]|qu|dell|un)'/g, "$1' ")
      .match(/[\p{L}]+'?/gu) ?? []
  const scores = wordSets.map(([code, set]) => [code, words.filter((word) => set.has(word)).length] as const)
  const best = Math.max(...scores.map(([, score]) => score))
  return best === 0
    ? wordSets.map(([code]) => code)
    : scores.filter(([, score]) => score === best).map(([code]) => code)
}

function holds(check: Check, { text, toolCalls = [] }: Answer): boolean {
  const has = (value: string) => plain(text).includes(plain(value))
  switch (check.type) {
    case "equals":
      return check.cased === true
        ? trimmed(text) === trimmed(check.value)
        : plain(text) === plain(check.value)
    case "contains":
      return check.values.every(has)
    case "any":
      return check.values.some(has)
    case "matches":
      return new RegExp(check.pattern, "iu").test(text)
    case "json":
      return canonical(jsonIn(text)) === canonical(check.value)
    case "call":
      return (
        toolCalls.length === 1 &&
        toolCalls[0].name === check.name &&
        canonical(toolCalls[0].arguments) === canonical(check.arguments)
      )
    case "no-call":
      return toolCalls.length === 0
    case "language":
      return languagesOf(text).includes(check.language)
    case "sentences":
      return (
        (text.trim().match(/[.!?।。！？]+(?=\s|$|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])/gu)?.length ??
          0) <= check.most
      )
    case "length":
      return text.length >= (check.least ?? 0) && text.length <= (check.most ?? Number.POSITIVE_INFINITY)
  }
}

/** Whether an answer passes all of its checks. */
export function passes(checks: readonly Check[], answer: Answer): boolean {
  return checks.every((check) => holds(check, answer))
}
