// Patterns mean what they mean to JavaScript: every text is taken or refused as RegExp does.
import { describe, expect, test } from "vitest"
import { InvalidOptionError } from "../errors/index.js"
import { compileConstraint } from "./index.js"
import { constraintOf, drawn, seeded, smallTokenizer, takes } from "./vocabulary-fixture.js"

/** All texts of at most `length` characters of an alphabet. */
function* texts(alphabet: readonly string[], length: number): Generator<string> {
  yield ""
  if (length > 0)
    for (const rest of texts(alphabet, length - 1)) for (const letter of alphabet) yield rest + letter
}

const small = [...new Set(texts(["a", "b", "1", "-", "é"], 5))]

describe("agrees with RegExp on every text of five characters", () => {
  const patterns = [
    "a*b",
    "(a|b)*a(a|b)",
    "a{2,4}",
    "a{2,}b?",
    "[ab]+|1",
    "(?:ab|a)(?:b|)",
    "a+?b*?",
    "(a*)*b",
    "(a|a)*",
    "(a?){3}",
    "((a|b){2}){1,2}",
    "[^a]*",
    "[a-b1]{3}",
    "\\w+",
    "\\W*",
    "\\d\\D*",
    "[\\d\\-]+",
    "[^\\d]é",
    ".",
    ".*-.*",
    "\\p{L}+",
    "\\P{L}+",
    "\\u0061b",
    "\\x61+",
    "[\\u{61}-b]*",
    "^ab$",
    "^(?:a|b)+$",
    "(^a|b)$",
    "a$|^b",
    "(?=.*1)[a1]+",
    "(?!.*ab)[ab]*",
    "a(?!b)[ab]*",
    "(?!1)(?=..)[ab1]*",
    "(?!.*--)[a-]+",
    "",
    "()",
    "a||b",
    "[]|a",
    "[^]",
    "a{0}b",
    "(a{1,2}){2}",
    "(ab?)*-",
    "{a",
    "]a",
    "a{,2}",
    "(?:a*b*){2,3}1",
  ]
  test.each(patterns)("%s", (pattern) => {
    const own = takes({ type: "regex", pattern })
    let whole: RegExp
    try {
      whole = new RegExp(`^(?:${pattern})$`, "u")
    } catch {
      whole = new RegExp(`^(?:${pattern})$`)
    }
    const wrong = small.filter((text) => own(text) !== whole.test(text))
    expect(wrong.slice(0, 5)).toEqual([])
  })
})

test("texts drawn from a pattern match it", () => {
  const tokenizer = smallTokenizer(["foo", "bar"])
  const random = seeded(3)
  const patterns = [
    "[A-Z]{3}-\\d{4}",
    "(?:https?|ftp)://[a-z]+(?:\\.[a-z]+){1,3}/?",
    "[\\p{Script=Cyrillic}日本é ]{2,12}!",
    "(?!.*(.)?aa)[abc]{4,9}",
    "\\s?[^\\x00-\\x7f]{1,4}",
    "(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(?:\\.|$)){4}",
  ].slice(0, 5)
  for (const pattern of patterns) {
    const constraint = constraintOf({ type: "regex", pattern }, tokenizer)
    const expected = new RegExp(`^(?:${pattern})$`, "u")
    for (let i = 0; i < 40; i++) {
      const text = drawn(constraint, tokenizer, random)
      expect(text).toMatch(expected)
    }
  }
})

describe("what cannot be done is refused with its reason", () => {
  test.each([
    ["(a)\\1", "back references"],
    ["\\bword", "word boundaries"],
    ["(?<=a)b", "look-behind"],
    ["a(", "a ) is missing"],
    ["a)", "without its ("],
    ["*a", "nothing to repeat"],
    ["[a", "a ] is missing"],
    ["[b-a]", "backwards"],
    ["a{3,2}", "wrong order"],
    ["\\p{Nonsense}", "no character property"],
    ["(?:a^b)+", "anchor"],
    ["a^b", "^ stands behind"],
    ["(?i:a)", "kind of group"],
    ["(?=a)*b", "cannot be repeated"],
    ["a{99999999}", "counted up to"],
    ["(".repeat(200) + ")".repeat(200), "deep"],
    ["a".repeat(30_000), "characters"],
  ])("%s", (pattern, reason) => {
    const compile = () => compileConstraint({ type: "regex", pattern })
    expect(compile).toThrow(InvalidOptionError)
    expect(compile).toThrow(reason)
  })

  test("a pattern that nothing matches", () => {
    expect(() => compileConstraint({ type: "regex", pattern: "a[]b" })).toThrow("allows no text at all")
    expect(() => compileConstraint({ type: "regex", pattern: "(?!a)a" })).toThrow("allows no text at all")
  })
})
