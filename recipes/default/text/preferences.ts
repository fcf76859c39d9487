// Pairs of a better and a worse answer to the same prompt: the right language against a wrong one, grounded against
// invented, short against rambling, declined against complied and answered against refused, right form against wrong.
import { examplesOf, kinds } from "./chat.js"
import { languageCodes, type LanguageCode } from "./language.js"
import { Random } from "./random.js"
import type { Example, ExampleMessage } from "./tasks/example.js"

export interface Preference {
  readonly kind: string
  readonly language: LanguageCode
  /** Why the chosen answer is better: language, grounded, short, safety, form. */
  readonly reason: string
  readonly prompt: readonly ExampleMessage[]
  readonly chosen: readonly ExampleMessage[]
  readonly rejected: readonly ExampleMessage[]
  readonly tools?: readonly unknown[]
}

const reasons: Readonly<Record<string, string>> = {
  passage: "grounded",
  decline: "safety",
  harmless: "safety",
  lists: "form",
  json: "form",
  "tool-call": "form",
}

const says = (content: string): ExampleMessage[] => [{ role: "assistant", content }]

const textOf = (example: Example): string | undefined => {
  const last = example.messages.at(-1)!
  return "content" in last && typeof last.content === "string" ? last.content : undefined
}

/** `perKind` prompts of each kind and language; prompts that are held out never occur. */
export function preferencesOf(perKind: number, seed: string): Preference[] {
  const random = new Random(`${seed} preferences`)
  const found: Preference[] = []
  for (const kind of Object.keys(kinds)) {
    const byLanguage = new Map(
      languageCodes.map((code) => [code, examplesOf(kind, code, perKind, `${seed} preferences`, false)]),
    )
    for (const code of languageCodes) {
      byLanguage.get(code)!.forEach((example, i) => {
        const chosen = example.messages.slice(-1)
        const base = {
          kind,
          language: code,
          prompt: example.messages.slice(0, -1),
          chosen,
          tools: example.tools,
        }
        const choice = random.next()
        const good = textOf(example)
        if (example.rejected !== undefined && (choice < 0.6 || good === undefined)) {
          if (example.rejected !== good)
            found.push({ ...base, reason: reasons[kind] ?? "form", rejected: says(example.rejected) })
          return
        }
        if (good === undefined) return
        const sameText = kind === "json" || kind === "translation" || kind === "sums"
        if (choice < 0.85 && !sameText) {
          const other = random.pick(languageCodes.filter((candidate) => candidate !== code))
          const list = byLanguage.get(other)!
          const wrong = list.length === 0 ? undefined : textOf(list[i % list.length])
          if (wrong !== undefined && wrong !== good)
            found.push({ ...base, reason: "language", rejected: says(wrong) })
          return
        }
        const list = byLanguage.get(code)!
        const more = random.sample(list, 2).map(textOf)
        if (kind !== "story")
          found.push({ ...base, reason: "short", rejected: says([good, ...more].join(" ")) })
      })
    }
  }
  return random.sample(found, found.length)
}
