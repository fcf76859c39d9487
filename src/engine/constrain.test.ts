// Constraints inside the engine: whatever the model would rather say, the answer is of the form that was asked for.
import { Ajv2020 } from "ajv/dist/2020.js"
import { afterEach, describe, expect, test } from "vitest"
import { Constraint, compileConstraint, type ConstraintOptions, TokenTrie } from "../constraints/index.js"
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { constrain } from "./constrain.js"
import { Llama } from "./llama.js"
import type { GenerateOptions } from "./options.js"
import { bos, endOfText, tinyConfig, tinyLink, type TinyOptions } from "./tiny-model-fixture.js"

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
})

async function tiny(options: TinyOptions = {}): Promise<Llama> {
  const llama = await Llama.open(tinyLink(options))
  open.push(llama)
  return llama
}

const schema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 12 },
    size: { type: "integer", minimum: -5, maximum: 500 },
    tags: { type: "array", items: { enum: ["red", "green", "blue"] }, maxItems: 4 },
    child: {
      anyOf: [
        { type: "null" },
        { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
      ],
    },
  },
  required: ["name", "size", "tags", "child"],
  additionalProperties: false,
}
const constraint: ConstraintOptions = { type: "json_schema", schema }
const isValid = new Ajv2020().compile(schema)
const warm: GenerateOptions = { temperature: 1.5, topP: 1, maxTokens: 400 }

describe("answers keep to their constraint", () => {
  test("JSON under a schema parses and is valid, greedy and at any temperature", async () => {
    const llama = await tiny({ cacheTokens: 8192 })
    for (const temperature of [0, 0.6, 3]) {
      const answers = await llama
        .generate([bos, 70], { ...warm, temperature, seed: 3, n: 6, constraint })
        .result()
      for (const { text, finishReason } of answers) {
        expect(finishReason, text).toBe("stop")
        expect(isValid(JSON.parse(text)), text).toBe(true)
      }
    }
  })

  test("a pattern and a grammar, from end to end", async () => {
    const llama = await tiny()
    const pattern = "[a-f]{3}-\\d{2,5}(?:日|é)!"
    const byPattern = await llama.generate([bos], { ...warm, constraint: { type: "regex", pattern } }).text()
    expect(byPattern).toMatch(new RegExp(`^${pattern}$`, "u"))
    const grammar = 'root ::= "the " thing{1,3} "."\nthing ::= "cat" | "dog"'
    const byGrammar = await llama
      .generate([bos], { ...warm, constraint: { type: "grammar", grammar } })
      .text()
    expect(byGrammar).toMatch(/^the (?:cat|dog){1,3}\.$/)
    const [nothing] = await llama
      .generate([bos], { ...warm, constraint: { type: "regex", pattern: "" } })
      .result()
    expect(nothing).toMatchObject({ text: "", tokens: [], finishReason: "stop" })
  })

  test("in a chat", async () => {
    const llama = await tiny({ contextLength: 1024, cacheTokens: 2048 })
    const text = await llama.chat([{ role: "user", content: "Hi" }], { ...warm, seed: 1, constraint }).text()
    expect(isValid(JSON.parse(text))).toBe(true)
  })

  test("each answer is the same alone, among others, and when it was set back", async () => {
    const options = (seed: number) => ({ ...warm, seed, constraint, maxTokens: 60 })
    const alone = await tiny()
    const expected: string[] = []
    for (let seed = 0; seed < 8; seed++)
      expected.push(await alone.generate([bos, 65, seed], options(seed)).text())
    const tight = await tiny({ contextLength: 96, cacheTokens: 160 })
    const together = await Promise.all(
      expected.map((_, seed) => tight.generate([bos, 65, seed], options(seed)).text()),
    )
    expect(together).toEqual(expected)
    expect((await tight.stats()).preemptions).toBeGreaterThan(0)
  })

  test("one that maxTokens cuts off says so", async () => {
    const llama = await tiny()
    const [answer] = await llama.generate([bos], { ...warm, seed: 1, maxTokens: 5, constraint }).result()
    expect(answer).toMatchObject({ finishReason: "length", tokens: { length: 5 } })
    expect(answer.text.startsWith("{")).toBe(true)
  })
})

describe("ends", () => {
  test("a stop token is chosen only where the text may end, and only then", async () => {
    const llama = await tiny()
    const eager = { ...warm, logitBias: { [endOfText]: 1000 } }
    const [answer] = await llama
      .generate([bos], { ...eager, constraint: { type: "regex", pattern: "(?:ab){3,}" } })
      .result()
    expect(answer).toMatchObject({ text: "ababab", finishReason: "stop" })
    const text = await llama.generate([bos], { ...eager, seed: 2, constraint }).text()
    expect(isValid(JSON.parse(text))).toBe(true)
  })

  test("without stop tokens a whole text ends by itself, an endless one by its length", async () => {
    const llama = await tiny()
    const options = { ...warm, ignoreEos: true, maxTokens: 30 }
    const [whole] = await llama
      .generate([bos], { ...options, constraint: { type: "regex", pattern: "abc" } })
      .result()
    expect(whole).toMatchObject({ text: "abc", finishReason: "stop" })
    const [endless] = await llama
      .generate([bos], { ...options, constraint: { type: "regex", pattern: "a+" } })
      .result()
    expect(endless).toMatchObject({ finishReason: "length", text: "a".repeat(30) })
  })

  test("text tokens that stop an answer do so where it may end only", async () => {
    const llama = await tiny()
    const options = { ...warm, stopTokens: [98], logitBias: { 98: 1000 } }
    const pattern = "a(?:bb)?ab?"
    const [answer] = await llama
      .generate([bos], { ...options, constraint: { type: "regex", pattern } })
      .result()
    expect(answer).toMatchObject({ text: "aa", finishReason: "stop" })
  })
})

test("log probabilities stay those of the model", async () => {
  const llama = await tiny()
  const prompt = [bos, 70, 71]
  const [answer] = await llama
    .generate(prompt, {
      temperature: 0,
      logprobs: 2,
      maxTokens: 6,
      constraint: { type: "regex", pattern: "xyzzy!" },
    })
    .result()
  const logits = await llama.logits([...prompt, ...answer.tokens])
  const V = tinyConfig.vocabularySize
  answer.tokens.forEach((token, i) => {
    const row = logits.slice((2 + i) * V, (3 + i) * V)
    const sum = row.reduce((total, logit) => total + Math.exp(logit), 0)
    expect(answer.logprobs![i].logprob).toBeCloseTo(row[token] - Math.log(sum), 5)
    expect(answer.logprobs![i].top[0].token).toBe(row.indexOf(Math.max(...row)))
  })
})

test("a vocabulary that lacks what the constraint wants", () => {
  const trie = new TokenTrie({
    bytes: Buffer.from("ac"),
    offsets: Int32Array.of(0, 1, 2),
    kinds: Uint8Array.of(0, 0),
  })
  const state = new Constraint(compileConstraint({ type: "regex", pattern: "ab" }), trie).begin()
  const logits = Float32Array.of(1, 2, 3)
  constrain(logits, state, new Set([2]))
  expect([...logits]).toEqual([1, -Infinity, -Infinity])
  expect(state.accept(0)).toBe(true)
  expect(() => constrain(Float32Array.of(1, 2, 3), state, new Set([2]))).toThrow(UnsupportedError)
})

describe("failures stay with their request", () => {
  test("constraints that make no sense, beside one that does", async () => {
    const llama = await tiny()
    const cyclic: Record<string, unknown> = {}
    cyclic.items = cyclic
    const outcomes = await Promise.allSettled([
      llama.generate([bos], { ...warm, constraint: { type: "regex", pattern: "(" } }).text(),
      llama.generate([bos], { ...warm, constraint: { type: "grammar", grammar: "x" } }).text(),
      llama.generate([bos], { ...warm, constraint: { type: "json_schema", schema: { not: {} } } }).text(),
      llama.generate([bos], { ...warm, constraint: { type: "json_schema", schema: cyclic } }).text(),
      llama
        .generate([bos], { ...warm, constraint: { type: "regex", pattern: "a".repeat(2_000_000) } })
        .text(),
      llama.generate([bos], { ...warm, seed: 4, constraint }).text(),
    ])
    for (const outcome of outcomes.slice(0, 5)) {
      expect(outcome.status).toBe("rejected")
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(InvalidOptionError)
    }
    expect(outcomes[5].status).toBe("fulfilled")
    expect(() => llama.generate([bos], { constraint: { type: "regex" } as never })).toThrow(
      InvalidOptionError,
    )
    expect(() => llama.generate([bos], { constraint: { type: "poem" } as never })).toThrow(InvalidOptionError)
  })

  test("a bias that forbids what the constraint wants", async () => {
    const llama = await tiny()
    const generation = llama.generate([bos], {
      logitBias: { 97: -Infinity },
      constraint: { type: "regex", pattern: "a" },
    })
    await expect(generation.text()).rejects.toThrow(InvalidOptionError)
    expect(await llama.generate([bos], { constraint: { type: "regex", pattern: "a" } }).text()).toBe("a")
  })
})
