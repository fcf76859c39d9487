import { expect, test } from "vitest"
import { UnsupportedError } from "../../errors/index.js"
import { Scanner } from "./scanner.js"

const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** All matches one after the other, "-" where there is none. */
function pieces(pattern: string | Scanner, text: string): string[] {
  const scanner = typeof pattern === "string" ? new Scanner(pattern) : pattern
  const found: string[] = []
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  scanner.scan(text, (bytes, start, end, matches) =>
    found.push(matches ? utf8.decode(bytes.slice(start, end)) : "-"),
  )
  return found
}

/** The same with the engine's backtracking matcher. */
function piecesOfEngine(pattern: string, text: string): string[] {
  const regex = new RegExp(pattern, "uy")
  const found: string[] = []
  for (let at = 0; at < text.length; ) {
    regex.lastIndex = at
    const match = regex.exec(text)
    found.push(match?.[0] ?? "-")
    at += match?.[0].length ?? String.fromCodePoint(text.codePointAt(at)!).length
  }
  return found
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

test("matches are those of a backtracking matcher", () => {
  const patterns = [
    "a|ab|abc",
    "abc|ab|a",
    "(?:a|ab)(?:c|bcd)",
    "(?:a|ab)(?:c|bcd)?",
    "a*?b|a",
    "a+?",
    "(?:ab?)+c|a",
    "a{2,3}|b{2}|c{1,}",
    "(?:a{0,2}b){1,3}",
    "\\s+(?!\\S)|\\s+|[a-c]+",
    "a+(?=b)|b+(?![ac])|c",
    "[^\\sa]+| ?a",
    "\\p{L}+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s",
    "[\\p{L}\\p{M}]+|\\P{L}",
    "(?:(?:a|b)*c)+|[ab]",
  ]
  const next = random(7)
  const alphabet = Array.from("aaabbcc d\n\r1é\u0301語🦙")
  for (const pattern of patterns) {
    const scanner = new Scanner(pattern)
    for (let run = 0; run < 150; run++) {
      const text = Array.from(
        { length: 1 + Math.floor(next() * 14) },
        () => alphabet[Math.floor(next() * alphabet.length)],
      ).join("")
      expect(pieces(scanner, text), `${pattern} on ${JSON.stringify(text)}`).toEqual(
        piecesOfEngine(pattern, text),
      )
    }
  }
})

test("Llama 3's pattern cuts as published", () => {
  expect(pieces(llama3, "I'LL say  it's 12345\n\n  ok...\r\n x")).toEqual(
    "I|'LL| say| | it|'s| |123|45|\n\n| | ok|...\r\n| x".split("|"),
  )
  expect(pieces(llama3, " \n \n  ")).toEqual([" \n \n", "  "])
})

test("white space and case folding are Rust's, not JavaScript's", () => {
  expect(pieces("\\s|\\S", "\u0085\ufeff")).toEqual(["\u0085", "\ufeff"])
  expect(pieces("\\s+|a", "\u0085a\ufeff")).toEqual(["\u0085", "a", "-"])
  expect(pieces("(?i:'s)|'", "'S'ſ's'x")).toEqual(["'S", "'ſ", "'s", "'", "-"])
  expect(pieces("(?i:k(?-i:k))|.", "KkkK")).toEqual(["Kk", "k", "K"])
})

test("syntax outside the subset is refused with its place", () => {
  for (const pattern of [
    "a*",
    "(?<=a)b",
    "a++",
    "(a)\\1",
    "[a&&b]",
    "[[:alpha:]]",
    "(?<name>a)",
    "a{2001}",
    "[b-a]",
    "\\p{Nonsense}",
    "(?!ab)c",
    "^a",
    "[a",
    "(a",
    "a)",
    "\\",
    "(".repeat(200),
    "(?:(?:a{1000}){1000}){1000}",
    "a".repeat(20_000),
  ])
    expect(() => new Scanner(pattern), pattern).toThrow(UnsupportedError)
  expect(() => new Scanner("ab++")).toThrow(/possessive quantifier at character 4/)
})

test("a pattern with too many states is refused while it runs", () => {
  const next = random(3)
  const text = Array.from({ length: 20_000 }, () => (next() < 0.5 ? "a" : "b")).join("")
  const scanner = new Scanner("(?:a|b)*a(?:a|b){14}c|b|a")
  expect(() => scanner.scan(text, () => {})).toThrow(UnsupportedError)
})
