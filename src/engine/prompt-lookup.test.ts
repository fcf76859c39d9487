// Guesses change when tokens come, never which.
import { afterEach, describe, expect, test } from "vitest"
import { Llama } from "./llama.js"
import type { GenerateOptions, Piece } from "./options.js"
import { PromptLookup } from "./prompt-lookup.js"
import { bos, tinyLink, type TinyOptions } from "./tiny-model-fixture.js"

const textOf = (tokens: readonly number[]) => ({
  length: tokens.length,
  token: (index: number) => tokens[index],
})

async function all(pieces: AsyncIterable<Piece>): Promise<Piece[]> {
  const list: Piece[] = []
  for await (const piece of pieces) list.push(piece)
  return list
}

describe("guesses", () => {
  test("what followed the last three tokens when they came last", () => {
    const lookup = new PromptLookup()
    expect(lookup.guess(textOf([1, 2, 3, 9, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3]), 3)).toEqual([4, 5, 6])
    expect(lookup.guess(textOf([1, 2, 3, 4, 1, 2, 3]), 8)).toEqual([4, 1, 2, 3, 4, 1, 2, 3])
    expect(lookup.guess(textOf([7, 7, 7, 7]), 3)).toEqual([7, 7, 7])
  })

  test("none without three tokens that agree, and none where none is wanted", () => {
    const lookup = new PromptLookup()
    expect(lookup.guess(textOf([5, 2, 3, 4, 1, 2, 3]), 3)).toEqual([])
    expect(lookup.guess(textOf([1, 2]), 3)).toEqual([])
    expect(lookup.guess(textOf([]), 3)).toEqual([])
    expect(lookup.guess(textOf([1, 2, 3, 4, 1, 2, 3]), 0)).toEqual([])
  })

  test("wrong ones make it rest, longer each time; a right one wakes it", () => {
    const lookup = new PromptLookup()
    const text = textOf([1, 2, 3, 4, 1, 2, 3])
    const rest = () => {
      let steps = 0
      while (lookup.guess(text, 1).length === 0) steps++
      return steps
    }
    const rests = [0, 0, 0, 0, 0, 0, 0].map(() => {
      lookup.learn(0)
      return rest()
    })
    expect(rests).toEqual([2, 4, 8, 16, 32, 32, 32])
    lookup.learn(1)
    expect(rest()).toBe(0)
    lookup.learn(0)
    expect(rest()).toBe(2)
  })
})

describe("answers", () => {
  const open: Llama[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((llama) => llama.dispose()))
  })
  const tiny = async (options: TinyOptions = {}): Promise<Llama> => {
    const llama = await Llama.open(tinyLink(options))
    open.push(llama)
    return llama
  }
  const prompt = [bos, ...Array.from({ length: 40 }, (_, i) => 70 + (i % 8))]

  async function bothWays(options: GenerateOptions, of: TinyOptions = {}) {
    const [guessing, plain] = [await tiny(of), await tiny(of)]
    const asked = { seed: 3, ignoreEos: true, maxTokens: 80, ...options }
    const pieces = await all(guessing.generate(prompt, asked))
    const expected = await all(plain.generate(prompt, { ...asked, promptLookup: false }))
    const byAnswer = (some: Piece[]) => some.toSorted((a, b) => a.index - b.index)
    expect(byAnswer(pieces)).toEqual(byAnswer(expected))
    const { guessedTokens, acceptedTokens, generatedTokens, steps, pages } = await guessing.stats()
    expect((await plain.stats()).guessedTokens).toBe(0)
    expect(pages.free).toBe(pages.total)
    return { guessedTokens, acceptedTokens, generatedTokens, steps }
  }

  test("greedy ones repeat themselves, and come in fewer steps", async () => {
    const { acceptedTokens, generatedTokens, steps } = await bothWays({ temperature: 0 })
    expect(acceptedTokens).toBeGreaterThan(20)
    expect(steps).toBeLessThan(generatedTokens)
  })

  const cases: Record<string, GenerateOptions> = {
    "drawn at random": { temperature: 0.4, topP: 0.9 },
    "with a repetition penalty": { temperature: 0, repetitionPenalty: 1.1 },
    "with log probabilities": { temperature: 0, logprobs: 3 },
    "several side by side": { temperature: 0.3, n: 3 },
    "under a pattern": { temperature: 0, constraint: { type: "regex", pattern: "(abcde){15}[a-z]*" } },
    "until a stop text": { temperature: 0, stop: ["FGH"] },
    "until the context is full": { temperature: 0, maxTokens: undefined },
  }
  for (const [name, options] of Object.entries(cases)) {
    test(`${name}: the same to the last bit`, async () => {
      const { guessedTokens } = await bothWays(options, { contextLength: 128 })
      expect(guessedTokens).toBeGreaterThan(0)
    })
  }

  test("where the oldest tokens slide out nothing is guessed", async () => {
    const options: GenerateOptions = { temperature: 0, contextOverflow: "slide" }
    const { guessedTokens } = await bothWays(options, { contextLength: 64 })
    expect(guessedTokens).toBe(0)
  })
})
