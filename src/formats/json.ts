// JSON of strangers: bounded in depth and in number of values before it is built, no key twice in an object.
import { InvalidFileError } from "../errors/index.js"

const maxDepth = 64
/** Strings, brackets, commas and colons: the header of a model of 10000 tensors has 250000. */
const maxTokens = 2 ** 22

/** UTF-8 text; InvalidFileError where the bytes are not. `what` names the file or its part. */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (error) {
    throw new InvalidFileError(`${what} is not UTF-8 text`, { cause: error })
  }
}

/**
 * The parsed value. InvalidFileError for what is not JSON, nests deeper than 64, holds more than four
 * million strings and punctuation marks, or names a key of one object twice (parsers disagree on which of the two counts).
 */
function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeText(bytes, what)
  scan(text, what)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidFileError(`${what} is not valid JSON: ${error instanceof Error ? error.message : ""}`, {
      cause: error,
    })
  }
}

/** As parseJson, for a file that must hold one object. */
export function parseJsonObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  const value = parseJson(bytes, what)
  if (!isRecord(value)) throw new InvalidFileError(`${what} must be a JSON object`)
  return value
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

// One pass that looks at brackets, commas, colons and strings only; whether the rest is JSON, JSON.parse says.
function scan(text: string, what: string): void {
  const open: (Set<string> | undefined)[] = []
  let tokens = 0
  let stringStart = 0
  let stringEnd = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      stringStart = at
      stringEnd = endOfString(text, at)
      at = stringEnd - 1
    } else if (code === colon) {
      const keys = open.at(-1)
      const key = unescaped(text.slice(stringStart, stringEnd))
      if (keys?.has(key)) throw new InvalidFileError(`${what} names the key ${key.slice(0, 200)} twice`)
      keys?.add(key)
    } else if (code === openBrace || code === openBracket) {
      open.push(code === openBrace ? new Set() : undefined)
      if (open.length > maxDepth) throw new InvalidFileError(`${what} nests deeper than ${maxDepth}`)
    } else if (code === closeBrace || code === closeBracket) open.pop()
    else if (code !== comma) continue
    if (++tokens > maxTokens)
      throw new InvalidFileError(`${what} holds more than ${maxTokens} strings and marks`)
  }
}

/** Index behind the closing quote of the string that opens at `at`, or the end of the text. */
function endOfString(text: string, at: number): number {
  for (let from = at + 1; ; ) {
    const close = text.indexOf('"', from)
    if (close < 0) return text.length
    let backslashes = 0
    while (text.charCodeAt(close - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return close + 1
    from = close + 1
  }
}

function unescaped(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1)
  try {
    return String(JSON.parse(literal))
  } catch {
    return literal
  }
}
