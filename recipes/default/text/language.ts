// What a language has to bring: names, stories and wordings. All strings are templates (template.ts); which slots a
// string may use stands beside it. The same numbers of plots, frames and topics are not needed in each language.

export const languageCodes = ["en", "de", "fr", "it", "pt", "es", "hi", "th", "ja"] as const
export type LanguageCode = (typeof languageCodes)[number]

/** A question and its answer, both templates. */
export type Pair = readonly [question: string, answer: string]

/**
 * A story. Slots: h hero, f friend (persons), a animal, b another animal, o thing with its colour, e food, p place
 * (p.in, p.to). The lines are written in order; a line may be empty by choice.
 */
export interface Plot {
  readonly lines: readonly string[]
  readonly summary: string
  /** What the story is about, as it stands in `storyAbout`. */
  readonly about: string
  /** Whether the lines say themselves what time of day it is: then only the first and third openings fit. */
  readonly ownTime?: true
}

/** One fact about a person h, what may be asked about it, and the answer. Further slots depend on the frame. */
export interface Frame {
  readonly key: string
  readonly says: string
  readonly question: string
  readonly answer: string
}

export interface Language {
  readonly code: LanguageCode
  readonly men: readonly string[]
  readonly women: readonly string[]
  readonly pets: readonly string[]
  /** Towns that people of passages live in. */
  readonly towns: readonly string[]

  readonly openings: readonly string[]
  readonly plots: readonly Plot[]
  readonly endings: readonly string[]
  readonly storyAsk: readonly string[]
  /** Slot t: the plot's `about`. */
  readonly storyAbout: readonly string[]
  /** Slot t: the beginning of a story. */
  readonly storyContinue: readonly string[]
  /** Whole dialogues; slots as in plots. */
  readonly dialogues: readonly string[]
  /** Pools of sentences of one everyday scene; slots as in plots, and d (a day). */
  readonly scenes: readonly (readonly string[])[]

  readonly systems: readonly string[]
  readonly talk: readonly Pair[]
  readonly identity: readonly Pair[]
  /** Asks for the text t once more. */
  readonly repeatAsk: readonly string[]
  /** Asks for the name h that was told before. */
  readonly recall: Pair
  readonly unknown: { readonly questions: readonly string[]; readonly answers: readonly string[] }

  /** Slots: c country, k capital, t continent; x and y two words; n number. */
  readonly capital: { readonly says: readonly string[]; readonly pairs: readonly Pair[] }
  readonly capitalOf: readonly Pair[]
  readonly continent: { readonly says: readonly string[]; readonly pairs: readonly Pair[] }
  readonly opposite: { readonly says: readonly string[]; readonly pairs: readonly Pair[] }
  readonly dayAfter: readonly Pair[]
  readonly dayBefore: readonly Pair[]
  readonly monthAfter: readonly Pair[]
  readonly facts: readonly Pair[]

  readonly frames: readonly Frame[]
  /** Slots t (text), q (question). */
  readonly passageAsk: readonly string[]
  readonly notSaid: readonly string[]
  /** Slot t. */
  readonly summaryAsk: readonly string[]
  /** A person in one sentence from lives + job + food. */
  readonly personSummary: string
  /** News of a town: [text, summary]; slots k town, d day, h person, n number, o thing. */
  readonly news: readonly Pair[]

  /** Slot t. */
  readonly formalAsk: readonly string[]
  readonly formal: readonly Pair[]
  readonly friendlyAsk: readonly string[]
  readonly friendly: readonly Pair[]
  readonly shortenAsk: readonly string[]
  /** A wordy sentence around the core t. */
  readonly wordy: readonly string[]
  readonly spellingAsk: readonly string[]
  readonly queryAsk: readonly string[]
  readonly query: readonly Pair[]

  /** Name of each language as it stands in `translateAsk`. */
  readonly languageNames: Readonly<Record<LanguageCode, string>>
  /** Slots l, t. */
  readonly translateAsk: readonly string[]
  /** Persons of simple sentences are rows of words/sentences.ts. */

  /** Slots x, y, z numbers; the operation in the key. */
  readonly plus: readonly Pair[]
  readonly minus: readonly Pair[]
  readonly times: readonly Pair[]
  /** Slots x, y. */
  readonly countAsk: readonly string[]
  readonly nextNumber: readonly Pair[]

  readonly categories: Readonly<Record<Category, string>>
  /** Slots n (number word), c (category). */
  readonly listAsk: readonly string[]
  readonly commaAsk: readonly string[]

  /** Slots h, n (age), k (town). */
  readonly jsonText: readonly string[]
  readonly jsonAsk: readonly string[]

  readonly tools: {
    /** Slot k (town). Result slots t (degrees), w (weather). */
    readonly weather: readonly string[]
    readonly weatherAnswer: readonly string[]
    readonly conditions: readonly string[]
    /** Slot k; result slot t (clock). */
    readonly time: readonly string[]
    readonly timeAnswer: readonly string[]
    /** Slots x, y (large numbers); result z. */
    readonly calculate: readonly string[]
    readonly calculateAnswer: readonly string[]
    /** Slots h (whom), t (text). */
    readonly message: readonly string[]
    readonly messageTexts: readonly string[]
    readonly messageAnswer: readonly string[]
    /** Slots t (what), c (clock). */
    readonly reminder: readonly string[]
    readonly reminderTexts: readonly string[]
    readonly reminderAnswer: readonly string[]
  }

  /** How somebody asks for help with x: frames around an action. */
  readonly actionAsk: readonly string[]
  /** Actions that are declined, by kind, and the answers of each kind. */
  readonly harmful: Readonly<
    Record<HarmKind, { readonly actions: readonly string[]; readonly answers: readonly string[] }>
  >
  /** Whole prompts that are declined with help: a person in danger; advice that needs a licence. */
  readonly selfHarm: { readonly prompts: readonly string[]; readonly answers: readonly string[] }
  readonly medical: { readonly prompts: readonly string[]; readonly answers: readonly string[] }
  readonly legal: { readonly prompts: readonly string[]; readonly answers: readonly string[] }
  /** Actions that sound alike or are everyday matters, with the answer. */
  readonly harmless: readonly Pair[]
}

export const categoryNames = [
  "animals",
  "foods",
  "colours",
  "days",
  "months",
  "cities",
  "countries",
  "things",
  "jobs",
] as const
export type Category = (typeof categoryNames)[number]

export const harmKinds = [
  "weapons",
  "violence",
  "crime",
  "hate",
  "minors",
  "malware",
  "impersonation",
] as const
export type HarmKind = (typeof harmKinds)[number]
