// The small language that all sentences are written in:
//   [a|b|c]      one of the alternatives, by chance (may be nested, may be empty)
//   {x}  {x.f}   the main form of what is bound to x, or its form f
//   {x:m|f|n}    agreement: the piece for the gender of x (masculine, feminine, neuter)
// Knows nothing of any language.
import type { Random } from "./random.js"

/** 0 masculine, 1 feminine, 2 neuter. */
export type Gender = 0 | 1 | 2

/** What a slot may stand for: a word with its gender and its inflected forms. */
export interface Entity {
  readonly gender: Gender
  /** The form that `{x}` writes. */
  readonly main: string
  readonly forms: Readonly<Record<string, string>>
}

export type Bindings = Readonly<Record<string, Entity | string | number>>

/** Position of the next of `ends` outside any inner bracket. */
function endOf(template: string, from: number, ends: string): number {
  let depth = 0
  for (let i = from; i < template.length; i++) {
    const char = template[i]
    if (depth === 0 && ends.includes(char)) return i
    if (char === "[" || char === "{") depth++
    else if (char === "]" || char === "}") depth--
  }
  throw new Error(`unclosed bracket in template: ${template}`)
}

function alternatives(template: string, from: number, close: string): { list: string[]; end: number } {
  const list: string[] = []
  for (let at = from; ; ) {
    const end = endOf(template, at, `|${close}`)
    list.push(template.slice(at, end))
    if (template[end] === close) return { list, end }
    at = end + 1
  }
}

/**
 * Writes a template out.
 * @throws Error that names the slot or form that is missing: a mistake in the text of this folder.
 */
export function expand(template: string, bindings: Bindings, random: Random): string {
  let out = ""
  for (let i = 0; i < template.length; i++) {
    const char = template[i]
    if (char === "[") {
      const { list, end } = alternatives(template, i + 1, "]")
      out += expand(random.pick(list), bindings, random)
      i = end
    } else if (char === "{") {
      const end = endOf(template, i + 1, "}")
      out += slot(template.slice(i + 1, end), bindings, random, template)
      i = end
    } else out += char
  }
  return out
}

function slot(text: string, bindings: Bindings, random: Random, template: string): string {
  const match = /^(\w+)(?:\.(\w+))?(:)?/.exec(text)
  if (match === null) throw new Error(`malformed slot {${text}} in: ${template}`)
  const [head, name, form, agreement] = match
  const bound = bindings[name]
  if (bound === undefined) throw new Error(`nothing is bound to {${text}} in: ${template}`)
  if (agreement !== undefined) {
    if (typeof bound !== "object") throw new Error(`{${text}} agrees with a plain text in: ${template}`)
    const { list } = alternatives(`${text}}`, head.length, "}")
    return expand(list[bound.gender] ?? list.at(-1)!, bindings, random)
  }
  if (typeof bound !== "object") return String(bound)
  if (form === undefined) return bound.main
  const written = bound.forms[form]
  if (written === undefined) throw new Error(`"${bound.main}" has no form ${form} in: ${template}`)
  return expand(written, bindings, random)
}
