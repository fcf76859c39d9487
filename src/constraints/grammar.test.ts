// Grammars in GBNF: the notation, what they match, and what is refused with its line.
import { describe, expect, test } from "vitest"
import { InvalidOptionError } from "../errors/index.js"
import { compileConstraint } from "./index.js"
import { constraintOf, drawn, seeded, smallTokenizer, takes } from "./vocabulary-fixture.js"

const matches = (grammar: string) => takes({ type: "grammar", grammar })

describe("the notation", () => {
  test.each<[string, string[], string[]]>([
    ['root ::= "yes" | "no"', ["yes", "no"], ["", "ye", "yesno"]],
    ["root ::= [a-c]+ [^a-c\\n]?", ["a", "abcx", "abc日"], ["x", "ab\n", "aa  "]],
    ['root ::= ("a" | "b"){2} "c"*', ["ab", "bacc"], ["a", "abab"]],
    ['root ::= "a"{2,3} "b"{,2} "c"{1,}', ["aac", "aaabbcc"], ["ac", "aabbbc", "aab"]],
    ['root ::= "\\x41\\u0042\\U0001F600\\"\\\\\\n"', ['AB😀"\\\n'], ["AB"]],
    ["root ::= [\\]\\[^-]+", ["[]^-"], ["a"]],
    ["root ::= . .", ["日本", "\n😀"], ["a", "abc"]],
    ['root ::= "a"?+ "b"', ["b", "aab"], ["a"]],
    [
      '# a comment\nroot ::= item # another\n  | item "," item\nitem ::=\n  "x" # the end',
      ["x", "x,x"],
      ["x,"],
    ],
    ['root ::= (\n  "a"\n  | "b"\n)\r\n', ["a", "b"], ["ab"]],
    ['root ::= "(" root ")" | ""', ["", "()", "((()))"], ["(", "(()"]],
    ['root ::= a-b_1\na-b_1 ::= "q"', ["q"], [""]],
    ['root ::= "a" root "b" | "c"', ["c", "aacbb"], ["aacb", "acbb"]],
    ['root ::= s s\ns ::= "a"*', ["", "aaa"], ["b"]],
  ])("%s", (grammar, yes, no) => {
    const isMatch = matches(grammar)
    for (const text of yes) expect(isMatch(text), text).toBe(true)
    for (const text of no) expect(isMatch(text), text).toBe(false)
  })
})

test("arithmetic drawn at random is arithmetic", () => {
  const grammar = `
root  ::= expr "=" term "\\n"
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]{0,5} ws
num   ::= [0-9]{1,4} ws
ws    ::= [ \\t]?`
  const tokenizer = smallTokenizer([")=", "+(", "x1", "12 "])
  const constraint = constraintOf({ type: "grammar", grammar }, tokenizer)
  const random = seeded(9)
  let ended = 0
  for (let i = 0; i < 60; i++) {
    const text = drawn(constraint, tokenizer, random, 200)
    if (text === undefined) continue
    ended++
    for (const side of text.slice(0, -1).split("=")) {
      let rest = side.replaceAll(/[ \t]/g, "").replaceAll(/[a-z][a-z0-9_]*|\d+/g, "1")
      for (let before = ""; before !== rest; ) {
        before = rest
        rest = rest.replaceAll("(1)", "1").replaceAll(/1[-+*/]1/g, "1")
      }
      expect(rest, text).toBe("1")
    }
  }
  expect(ended).toBeGreaterThan(20)
})

describe("what is wrong is refused with its line", () => {
  test.each([
    ['expr ::= "a"', "no rule named root"],
    ["root ::= item\n", "item is used, but not defined"],
    ['root ::= "a"\nroot ::= "b"', "defined twice (line 2)"],
    ['root ::= "a" root | root "b"', "calls itself before it matches anything"],
    ['root ::= a "x"\na ::= "y"? root', "left recursion"],
    ['root ::= ("a"', "a ) is missing"],
    ['root ::= "a', 'a " is missing'],
    ["root ::= [a", "a ] is missing"],
    ['root ::= "a"{3,2}', "counts upwards"],
    ['root ::= "a"{x}', "a repetition is written"],
    ['root ::= "\\q"', "escape \\q is not known"],
    ["root ::= <tool>", "tokens in a grammar"],
    ['root = "a"', "::= was expected"],
    ['root ::= "a" ) "b"', "end of the line"],
    ["root ::= [z-a]", "backwards"],
    ['root ::= "a" root', "no text at all"],
    [`root ::= ${"(".repeat(200)}"a"${")".repeat(200)}`, "deep"],
  ])("%s", (grammar, reason) => {
    const compile = () => compileConstraint({ type: "grammar", grammar })
    expect(compile).toThrow(InvalidOptionError)
    expect(compile).toThrow(reason)
  })
})
