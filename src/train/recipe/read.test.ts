import { describe, expect, test } from "vitest"
import { parseOverride, parseRecipe } from "./read.js"

const good = `method: pretrain
output: runs/base
variables:
  corpus: ../texts
model:
  new:
    tokenizer: tokenizer.json
    width: 64
    layers: 2
    queryHeads: 4
    kvHeads: 2
    feedForwardWidth: 128
data:
  sources:
    - name: en
      files: \${corpus}/en.*.txt.gz
    - name: de
      files: ["\${corpus}/de.txt", more.txt]
      weight: 2
schedule: { tokens: 1e6 }
`
const problem = (text: string) => {
  try {
    parseRecipe(text, "r.yaml")
  } catch (error) {
    return (error as Error).message
  }
  return "none"
}

test("a recipe with defaults and variables filled in", () => {
  const recipe = parseRecipe(good, "r.yaml")
  expect(recipe).toMatchObject({
    method: "pretrain",
    seed: 1,
    batch: { tokens: 16_384, microTokens: 4096 },
    optimizer: { learningRate: 1e-3, beta2: 0.95, weightDecay: 0.1 },
    schedule: { tokens: 1e6, shape: "cosine" },
    data: {
      sources: [{ files: ["../texts/en.*.txt.gz"] }, { files: ["../texts/de.txt", "more.txt"], weight: 2 }],
    },
  })
})

test("values are replaced by --set, before variables are filled in", () => {
  const overrides = [
    "optimizer.learningRate=3e-4",
    "data.sources.1.weight=5",
    "variables.corpus=/elsewhere",
    "seed=7",
  ]
  const recipe = parseRecipe(good, "r.yaml", overrides.map(parseOverride))
  if (recipe.method === "sample") throw new Error("method")
  expect(recipe.optimizer.learningRate).toBe(3e-4)
  expect(recipe.seed).toBe(7)
  expect(recipe.data.sources.map(({ files, weight }) => [files[0], weight])).toEqual([
    ["/elsewhere/en.*.txt.gz", 1],
    ["/elsewhere/de.txt", 5],
  ])
  expect(() => parseOverride("learningRate")).toThrow(/expected key=value/)
})

describe("what is wrong is said with line and key", () => {
  test.each([
    ["an unknown key", good.replace("schedule:", "scedule:"), "r.yaml:20: scedule is not a key of a recipe"],
    ["a key at the wrong place", `${good}learningRate: 1\n`, "r.yaml:21: learningRate is not a key"],
    [
      "an unknown key further in",
      good.replace("weight: 2", "wieght: 2"),
      "r.yaml:19: data.sources.1.wieght is not a key",
    ],
    [
      "a wrong type",
      good.replace("width: 64", "width: wide"),
      "r.yaml:8: model.new.width: Invalid input: expected number, received string",
    ],
    ["a value out of range", good.replace("width: 64", "width: -1"), "r.yaml:8: model.new.width: Too small"],
    [
      "a missing key",
      good.replace("    layers: 2\n", ""),
      "r.yaml:6: model.new.layers: Invalid input: expected number, received undefined",
    ],
    [
      "an unknown method",
      good.replace("method: pretrain", "method: dream"),
      "r.yaml:1: method: method must be one of",
    ],
    [
      "no sources",
      good.replace(/ {2}sources:[^]*(?=schedule)/, "  sources: []\n"),
      "r.yaml:14: data.sources: Too small",
    ],
    [
      "an unknown variable",
      good.replace("corpus: ../texts", "other: x"),
      "r.yaml: nothing is given for ${corpus}",
    ],
    ["two of a key", `${good}output: again\n`, "r.yaml:21: not valid YAML: Map keys must be unique"],
    ["no YAML", "method: [pretrain", "r.yaml:1: not valid YAML"],
    ["no recipe", "just a text", "r.yaml: a recipe is a list of `key: value` lines"],
    ["nothing", "", "r.yaml: a recipe is a list"],
    [
      "neither from nor new",
      good.replace(/model:[^]*(?=data:)/, "model: {}\n"),
      "r.yaml:5: model: expected either `from:`",
    ],
  ])("%s", (_, text, expected) => {
    expect(problem(text)).toContain(expected)
  })

  test("several problems at once, a line each", () => {
    const message = problem(
      good.replace("width: 64", "width: 0").replace("queryHeads: 4", "queryHeads: four"),
    )
    expect(message.split("\n").length).toBe(2)
  })
})

describe("hostile recipes end with an error, soon", () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
`
  test.each([
    ["aliases that multiply", bomb],
    ["deep nesting", "[".repeat(50_000)],
    ["deep nesting over lines", "[\n".repeat(20_000)],
    ["deep nesting in blocks", "- ".repeat(2000)],
    ["a long text", `method: ${"x".repeat(2 ** 21)}`],
    ["many values", `x: [${"1,".repeat(200_000)}1]`],
    ["a prototype", "__proto__: { method: pretrain }\nmethod: pretrain"],
    ["a tag", "method: !!js/function 'function () {}'"],
    ["binary", "\u0000\u0001\u0002"],
  ])("%s", (_, text) => {
    const start = performance.now()
    expect(problem(text)).toMatch(/^r\.yaml/)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})
