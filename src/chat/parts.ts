// A prompt before it is tokens: a list of special tokens and plain texts, kept apart so that no text can ever
// become a special token. Also the small Python habits (strip, json.dumps) that prompt formats are defined by.
import { UnsupportedError } from "../errors/index.js"
import type { Json } from "./messages.js"

/** What chat needs of a tokenizer; the tokenizer of this package satisfies it. */
export interface ChatTokenizer {
  encode(text: string, options?: { bos?: boolean; special?: boolean }): number[]
  /** Text of every special token -> its id. */
  readonly special: ReadonlyMap<string, number>
}

/** One part of a prompt: a special token, or text that holds none. */
export type Part = { readonly special: string } | { readonly text: string }

/** The prompt as one string, for display and tests; reading it back as tokens would not be safe. */
export function partsToText(parts: readonly Part[]): string {
  return parts.map((part) => ("special" in part ? part.special : part.text)).join("")
}

/**
 * The prompt as token ids: each text is tokenized alone, with special tokens off.
 * @throws UnsupportedError where the vocabulary lacks a special token of the prompt.
 */
export function encodeParts(parts: readonly Part[], tokenizer: ChatTokenizer): number[] {
  const ids: number[] = []
  for (const part of parts) {
    if ("special" in part) {
      const id = tokenizer.special.get(part.special)
      if (id === undefined)
        throw new UnsupportedError(`the vocabulary has no ${part.special}, which this chat format needs`)
      ids.push(id)
    } else if (part.text !== "") {
      for (const id of tokenizer.encode(part.text, { bos: false, special: false })) ids.push(id)
    }
  }
  return ids
}

/** What Python's str.strip takes for white space (it differs from JavaScript's trim in six characters). */
const isSpace = (code: number): boolean =>
  (code >= 9 && code <= 13) ||
  (code >= 28 && code <= 32) ||
  code === 0x85 ||
  code === 0xa0 ||
  code === 0x1680 ||
  (code >= 0x2000 && code <= 0x200a) ||
  code === 0x2028 ||
  code === 0x2029 ||
  code === 0x202f ||
  code === 0x205f ||
  code === 0x3000

/** Python's str.lstrip(). */
export function stripStart(text: string): string {
  let start = 0
  while (start < text.length && isSpace(text.charCodeAt(start))) start++
  return text.slice(start)
}

/** Python's str.strip(). */
export function strip(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--
  return stripStart(text.slice(0, end))
}

/** Python's json.dumps(value, ensure_ascii=False): one line, a space after every comma and colon. */
export function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`).join(", ")}}`
}

/** A value as a Python literal: `'x'`, `3`, `True`, `None`, `[1, 2]`, `{'a': 1}`. */
export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  if (typeof value === "number") return String(value)
  if (typeof value === "string") return pythonString(value)
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`
  const entries = Object.entries(value as Record<string, unknown>)
  return `{${entries.map(([key, item]) => `${pythonString(key)}: ${pythonLiteral(item)}`).join(", ")}}`
}

const named: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" }

/** Python's repr of a str: single quotes, unless the text holds those and no double ones. */
function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\'\p{Cc}]/gu, (char) => {
    if (char === "'") return quote === "'" ? "\\'" : char
    return named[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`
  })
  return `${quote}${escaped}${quote}`
}
