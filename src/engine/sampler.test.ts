import { describe, expect, test } from "vitest"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { exponential, negligible } from "./exponential.js"
import { randomSeed, threefry, uniform } from "./random.js"
import { likeliest, penalize, Sampler, type SamplingSettings } from "./sampler.js"

const plain: SamplingSettings = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: [],
}

/** Roughly normal logits; `levels` rounds them so that many are equal. */
function someLogits(size: number, seed: number, spread = 3, levels = 0): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    let sum = -6
    for (let j = 0; j < 12; j++) sum += uniform(seed, i * 12 + j)
    return levels > 0 ? Math.round(sum * levels) / levels : sum * spread
  })
}

interface Kept {
  id: number
  p: number
}

const normalized = (kept: Kept[]): Kept[] => {
  const total = kept.reduce((sum, { p }) => sum + p, 0)
  return kept.map(({ id, p }) => ({ id, p: p / total }))
}

/** Takes from a sorted list until the probabilities reach `target`. */
function until(sorted: Kept[], target: number): Kept[] {
  const kept: Kept[] = []
  let sum = 0
  for (const one of sorted) {
    if (sum >= target) break
    kept.push(one)
    sum += one.p
  }
  return kept
}

/** The specification: sorts everything, one step after the other. */
function naive(logits: Float32Array, settings: SamplingSettings, random: number): number {
  const { temperature, topK, topP, minP, typicalP } = settings
  const largest = Math.max(...logits)
  const likely = (a: Kept, b: Kept) => logits[b.id] - logits[a.id] || a.id - b.id
  let kept = normalized(
    [...logits].map((logit, id) => ({ id, p: Math.exp((logit - largest) / temperature) })),
  )
  kept = kept.toSorted(likely)
  if (topK > 0) kept = normalized(kept.slice(0, topK))
  if (typicalP < 1) {
    const entropy = -kept.reduce((sum, { p }) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
    const oddness = ({ p }: Kept) => Math.fround(Math.abs(-Math.log(p) - entropy))
    kept = normalized(
      until(
        kept.toSorted((a, b) => oddness(a) - oddness(b) || a.id - b.id),
        typicalP,
      ),
    )
  }
  if (topP < 1) kept = normalized(until(kept.toSorted(likely), topP))
  if (minP > 0) {
    const best = Math.max(...kept.map(({ p }) => p))
    kept = normalized(kept.filter(({ p }) => p >= minP * best))
  }
  let rest = random
  for (const { id, p } of kept.toSorted((a, b) => a.id - b.id)) {
    rest -= p
    if (rest < 0) return id
  }
  throw new Error("the probabilities do not add up")
}

describe("choice of a token", () => {
  const cases: [string, Partial<SamplingSettings>][] = [
    ["temperature alone", { temperature: 0.7 }],
    ["top-k", { topK: 7 }],
    ["top-k of one", { topK: 1 }],
    ["top-k beyond the vocabulary", { topK: 5000 }],
    ["top-p", { topP: 0.9 }],
    ["a tiny top-p", { topP: 1e-6 }],
    ["min-p", { minP: 0.05 }],
    ["typical-p", { typicalP: 0.6 }],
    ["the model's defaults", { temperature: 0.6, topP: 0.9 }],
    ["everything", { temperature: 1.3, topK: 200, typicalP: 0.95, topP: 0.8, minP: 0.01 }],
  ]
  test.each(cases)("%s agrees with sorting everything", (_, settings) => {
    const sampler = new Sampler(1000)
    for (let seed = 0; seed < 40; seed++) {
      // every fourth has few different values, so that filters end within a tie
      const logits = someLogits(1000, seed, 1 + (seed % 5), seed % 4 === 3 ? 2 : 0)
      const all = { ...plain, ...settings }
      const random = uniform(seed, 1)
      expect(sampler.choose(logits, all, random)).toBe(naive(logits, all, random))
    }
  })

  test("greedy takes the likeliest, of several the lowest id", () => {
    const sampler = new Sampler(5)
    expect(sampler.choose(Float32Array.of(1, 3, -2, 3, 0), { ...plain, temperature: 0 }, 0.99)).toBe(1)
  })

  test("equal logits are equally likely, and filters keep the lower ids", () => {
    const sampler = new Sampler(64)
    const logits = new Float32Array(64).fill(2)
    const drawn = (settings: Partial<SamplingSettings>) =>
      new Set(
        Array.from({ length: 640 }, (_, i) => sampler.choose(logits, { ...plain, ...settings }, i / 640)),
      )
    expect(drawn({}).size).toBe(64)
    expect([...drawn({ topK: 3 })]).toEqual([0, 1, 2])
    expect([...drawn({ topP: 0.0625 })]).toEqual([0, 1, 2, 3])
  })

  test("forbidden tokens are never drawn", () => {
    const sampler = new Sampler(4)
    const logits = Float32Array.of(-Infinity, 0, -Infinity, 0)
    const drawn = Array.from({ length: 100 }, (_, i) =>
      sampler.choose(logits, { ...plain, topK: 4 }, i / 100),
    )
    expect(new Set(drawn)).toEqual(new Set([1, 3]))
  })

  test("frequencies follow the probabilities", () => {
    const sampler = new Sampler(4)
    const logits = Float32Array.of(Math.log(1), Math.log(2), Math.log(3), Math.log(4))
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 20_000; i++) counts[sampler.choose(logits, plain, uniform(5, i))]++
    counts.forEach((count, id) => expect(count / 20_000).toBeCloseTo((id + 1) / 10, 1.7))
  })

  test("logits that are no numbers, infinite, or all forbidden are typed errors", () => {
    expect(() => likeliest(Float32Array.of(0, Number.NaN, 5))).toThrow(InvalidFileError)
    expect(() => likeliest(Float32Array.of(Number.NaN))).toThrow(InvalidFileError)
    expect(() => likeliest(Float32Array.of(0, Infinity))).toThrow(InvalidFileError)
    expect(() => likeliest(Float32Array.of(-Infinity, -Infinity))).toThrow(InvalidOptionError)
  })
})

describe("penalties", () => {
  const tokens = [5, 5, 1, 2, 2, 2]
  const history = {
    length: tokens.length,
    token: (index: number) => tokens[index],
    promptTokens: new Set([5, 1]),
    generated: new Map([[2, 3]]),
  }
  const after = (settings: Partial<SamplingSettings>) => {
    const logits = Float32Array.of(1, 2, 3, -4, 5, -6)
    penalize(logits, { ...plain, ...settings }, history)
    return [...logits]
  }

  test("repetition divides what is positive and multiplies what is negative, once a token", () => {
    expect(after({ repetitionPenalty: 2 })).toEqual([1, 1, 1.5, -4, 5, -12])
    expect(after({ repetitionPenalty: 2, penaltyTokens: 4 })).toEqual([1, 1, 1.5, -4, 5, -6])
    expect(after({ repetitionPenalty: 2, penaltyTokens: 0 })).toEqual([1, 2, 3, -4, 5, -6])
  })

  test("frequency and presence count what was generated", () => {
    expect(after({ frequencyPenalty: 0.5, presencePenalty: 0.25 })).toEqual([1, 2, 1.25, -4, 5, -6])
  })

  test("bias is added last", () => {
    expect(
      after({
        presencePenalty: 1,
        logitBias: [
          [2, 10],
          [4, -Infinity],
        ],
      }),
    ).toEqual([1, 2, 12, -4, -Infinity, -6])
  })
})

describe("log probabilities", () => {
  test("are the log-softmax of the logits, alternatives sorted", () => {
    const logits = someLogits(500, 3)
    const largest = Math.max(...logits)
    const normalizer = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
    const order = [...logits.keys()].toSorted((a, b) => logits[b] - logits[a])
    const { logprob, top } = new Sampler(500).logprobs(logits, 17, 5)
    expect(logprob).toBeCloseTo(logits[17] - normalizer, 10)
    expect(top.map(({ token }) => token)).toEqual(order.slice(0, 5))
    expect(top[2].logprob).toBeCloseTo(logits[order[2]] - normalizer, 10)
    expect(new Sampler(500).logprobs(logits, 17, 0).top).toEqual([])
  })
})

test("the quick exponential is exact to 1e-14 over its range", () => {
  let worst = 0
  for (let i = 0; i <= 100_000; i++) {
    const x = (negligible * i) / 100_000
    worst = Math.max(worst, Math.abs(exponential(x) / Math.exp(x) - 1))
  }
  expect(worst).toBeLessThan(1e-14)
})

describe("random numbers", () => {
  test("are Threefry-2x32's, by the known answers of Random123", () => {
    const hex = (words: [number, number]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ")
    expect(hex(threefry(0, 0, 0, 0))).toBe("6b200159 99ba4efe")
    expect(hex(threefry(-1, -1, -1, -1))).toBe("1cb996fc bb002be7")
    expect(hex(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3))).toBe("c4923a9c 483df7a0")
  })

  test("are uniform and differ with seed and token", () => {
    const values = Array.from({ length: 4000 }, (_, i) => uniform(2 ** 40 + 7, i))
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true)
    expect(new Set(values).size).toBe(4000)
    expect(values.reduce((sum, value) => sum + value, 0) / 4000).toBeCloseTo(0.5, 1.5)
    expect(uniform(7, 0)).not.toBe(uniform(2 ** 40 + 7, 0))
    expect(Number.isSafeInteger(randomSeed())).toBe(true)
  })
})
