// Sets of characters as ranges of code points. Knows no bytes and no syntax.
import type { Ranges } from "./expressions.js"

export const lastCodePoint = 0x10ffff
export const anyCharacter: Ranges = [[0, lastCodePoint]]

/** In order, apart from each other. */
export function united(...sets: readonly Ranges[]): Ranges {
  const all = sets.flat().toSorted(([a], [b]) => a - b)
  const result: [number, number][] = []
  for (const [first, last] of all) {
    const end = result.at(-1)
    if (end && first <= end[1] + 1) end[1] = Math.max(end[1], last)
    else result.push([first, last])
  }
  return result
}

/** All that is not in the set. */
export function inverted(set: Ranges): Ranges {
  const result: [number, number][] = []
  let from = 0
  for (const [first, last] of united(set)) {
    if (first > from) result.push([from, first - 1])
    from = last + 1
  }
  if (from <= lastCodePoint) result.push([from, lastCodePoint])
  return result
}

export const without = (set: Ranges, other: Ranges): Ranges => inverted(united(inverted(set), other))

export const ofCharacters = (characters: string): Ranges =>
  united(
    Array.from(characters, (character) => [character.codePointAt(0)!, character.codePointAt(0)!] as const),
  )

/** \d, \w, \s and `.` of ECMAScript. */
export const digits: Ranges = [[48, 57]]
export const wordCharacters: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
]
export const spaces: Ranges = united(
  [
    [9, 13],
    [32, 32],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
  ],
  [
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
)
export const notNewline: Ranges = inverted([
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
])

const properties = new Map<string, Ranges>()
let everything: string | undefined

/** Characters with a Unicode property, such as `L` or `Script=Greek`; undefined where there is no such property. */
export function ofProperty(name: string): Ranges | undefined {
  const known = properties.get(name)
  if (known) return known
  if (!/^[A-Za-z_]{1,64}(=[A-Za-z_]{1,64})?$/.test(name)) return undefined
  let pattern: RegExp
  try {
    pattern = new RegExp(`\\p{${name}}+`, "gu")
  } catch {
    return undefined
  }
  everything ??= allCharacters()
  const result: [number, number][] = []
  for (const { 0: run } of everything.matchAll(pattern)) {
    // a run never bridges the gap of the surrogates unless both sides of it belong
    const characters = Array.from(run)
    result.push([characters[0].codePointAt(0)!, characters.at(-1)!.codePointAt(0)!])
  }
  properties.set(name, result)
  return result
}

function allCharacters(): string {
  const parts: string[] = []
  for (let from = 0; from <= lastCodePoint; from += 2048) {
    if (from >= 0xd800 && from < 0xe000) continue
    parts.push(String.fromCodePoint(...Array.from({ length: 2048 }, (_, i) => from + i)))
  }
  return parts.join("")
}
