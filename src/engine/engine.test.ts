// The engine as a whole, in process: many requests at once give what each gives alone.
import { afterEach, describe, expect, test } from "vitest"
import { ContextOverflowError, InvalidOptionError, OutOfMemoryError } from "../errors/index.js"
import type { ReferenceBackend } from "../backends/reference/reference.js"
import { Llama } from "./llama.js"
import type { OpenLink } from "./link.js"
import type { GenerateOptions, Piece } from "./options.js"
import { bos, endOfText, replacing, tinyConfig, tinyLink, type TinyOptions } from "./tiny-model-fixture.js"
import { uniform } from "./random.js"

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
})

async function tiny(options: TinyOptions | OpenLink = {}): Promise<Llama> {
  const llama = await Llama.open(typeof options === "function" ? options : tinyLink(options))
  open.push(llama)
  return llama
}

/** A prompt of random tokens. */
const promptOf = (length: number, seed: number): number[] => [
  bos,
  ...Array.from({ length: length - 1 }, (_, i) => Math.floor(uniform(seed, i) * 260)),
]

const tokensOf = async (llama: Llama, prompt: number[], options: GenerateOptions) =>
  (await llama.generate(prompt, { ignoreEos: true, ...options }).result()).map(({ tokens }) => tokens)

async function expectAllFree(llama: Llama): Promise<void> {
  const { pages, running, waiting } = await llama.stats()
  expect({ free: pages.free, running, waiting }).toEqual({ free: pages.total, running: 0, waiting: 0 })
}

describe("many at a time", () => {
  test("64 of mixed length, a third cancelled midway: every other answer equals its answer alone", async () => {
    const requests = Array.from({ length: 64 }, (_, i) => ({
      prompt: promptOf(1 + ((i * 37) % 90), i),
      options: {
        seed: i,
        maxTokens: 3 + ((i * 13) % 30),
        temperature: i % 4 === 0 ? 0 : 1,
        topP: 1,
      } as GenerateOptions,
    }))
    const alone = await tiny()
    const expected: (readonly number[])[][] = []
    for (const { prompt, options } of requests) expected.push(await tokensOf(alone, prompt, options))

    const llama = await tiny({ cacheTokens: 1024 })
    const results = await Promise.all(
      requests.map(async ({ prompt, options }, i) => {
        if (i % 3 !== 0) return tokensOf(llama, prompt, options)
        if (i % 2 === 0) {
          const controller = new AbortController()
          setTimeout(() => controller.abort(new Error(`cancelled ${i}`)), 20 + i)
          const { signal } = controller
          const outcome = llama
            .generate(prompt, { ...options, maxTokens: 400, ignoreEos: true, signal })
            .text()
          return expect(outcome).rejects.toThrow(`cancelled ${i}`)
        }
        let seen = 0
        for await (const piece of llama.generate(prompt, { ...options, maxTokens: 400, ignoreEos: true })) {
          if (piece.token !== undefined && ++seen === 2) break
        }
        return undefined
      }),
    )
    results.forEach((result, i) => {
      if (i % 3 !== 0) expect(result, `request ${i}`).toEqual(expected[i])
    })
    await expectAllFree(llama)
  })

  test("when pages run out the youngest are set back, and no text changes", async () => {
    const prompts = Array.from({ length: 6 }, (_, i) => promptOf(20 + i, 100 + i))
    const options = { maxTokens: 40, temperature: 1, topP: 1, seed: 5 }
    const roomy = await tiny()
    const expected = await Promise.all(prompts.map((prompt) => tokensOf(roomy, prompt, options)))
    expect((await roomy.stats()).preemptions).toBe(0)
    const tight = await tiny({ contextLength: 96, cacheTokens: 160 })
    expect(await Promise.all(prompts.map((prompt) => tokensOf(tight, prompt, options)))).toEqual(expected)
    expect((await tight.stats()).preemptions).toBeGreaterThan(0)
    await expectAllFree(tight)
  })

  test("several answers equal runs of their own with the seeds that follow", async () => {
    const llama = await tiny({ cacheTokens: 512 })
    const prompt = promptOf(21, 7)
    const options = { maxTokens: 20, temperature: 1.2, topP: 1 }
    const together = await tokensOf(llama, prompt, { ...options, seed: 11, n: 5 })
    expect(together).toHaveLength(5)
    for (const [i, tokens] of together.entries()) {
      expect(await tokensOf(llama, prompt, { ...options, seed: 11 + i })).toEqual([tokens])
    }
    expect(new Set(together.map(String)).size).toBe(5)
    await expectAllFree(llama)
  })

  test("a prompt that begins like an earlier one reuses its pages, with the same text", async () => {
    const llama = await tiny()
    const shared = promptOf(50, 3)
    const longer = [...shared, ...promptOf(9, 4)]
    const fresh = await (await tiny()).generate(longer, { maxTokens: 10, temperature: 0 }).result()
    await llama.generate(shared, { maxTokens: 5, temperature: 0 }).result()
    const [second] = await llama.generate(longer, { maxTokens: 10, temperature: 0 }).result()
    expect(second.tokens).toEqual(fresh[0].tokens)
    expect(second.usage).toEqual({
      promptTokens: 59,
      cachedTokens: 48,
      completionTokens: second.tokens.length,
    })
    expect(fresh[0].usage.cachedTokens).toBe(0)
  })

  test("running streams keep flowing while a long prompt is read", async () => {
    const llama = await tiny({ contextLength: 1024, cacheTokens: 2048 })
    const order: string[] = []
    const stream = (async () => {
      for await (const piece of llama.generate(promptOf(4, 1), { maxTokens: 40, ignoreEos: true })) {
        order.push(`stream ${piece.token}`)
      }
    })()
    const long = llama.generate(promptOf(700, 2), { maxTokens: 1, temperature: 0 }).text()
    await Promise.all([stream, long.then(() => order.push("long"))])
    // a step takes 128 rows at most, so 700 tokens take six steps on the fastest machine, each with a token of the stream
    expect(order.indexOf("long")).toBeGreaterThanOrEqual(5)
  })
})

describe("limits", () => {
  test("a prompt that fills the context is refused with the numbers", async () => {
    const llama = await tiny({ contextLength: 64 })
    const error: unknown = await llama
      .generate(promptOf(64, 1))
      .text()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ContextOverflowError)
    expect(error).toMatchObject({ promptTokens: 64, contextLength: 64, code: "context_overflow" })
    await expect(llama.logits(promptOf(65, 1))).rejects.toThrow(ContextOverflowError)
  })

  test("an answer that fills the context ends with the reason length", async () => {
    const llama = await tiny({ contextLength: 64, cacheTokens: 64 })
    const [answer] = await llama.generate(promptOf(50, 1), { ignoreEos: true }).result()
    expect(answer.finishReason).toBe("length")
    expect(answer.usage).toMatchObject({ promptTokens: 50, completionTokens: 14 })
    await expectAllFree(llama)
  })

  test("a sliding context goes on, whether its tokens were read or generated, and when it is set back", async () => {
    const slide = { contextOverflow: "slide", temperature: 0 } as const
    const llama = await tiny({ contextLength: 64, cacheTokens: 512 })
    const prompt = promptOf(30, 9)
    const [tokens] = await tokensOf(llama, prompt, { ...slide, maxTokens: 150 })
    expect(tokens).toHaveLength(150)
    const half = tokens.slice(0, 75)
    expect(await tokensOf(llama, [...prompt, ...half], { ...slide, maxTokens: 75 })).toEqual([
      tokens.slice(75),
    ])
    await expectAllFree(llama)

    const tight = await tiny({ contextLength: 64, cacheTokens: 96 })
    const [first, second] = await Promise.all([
      tokensOf(tight, prompt, { ...slide, maxTokens: 150 }),
      tokensOf(tight, prompt, { ...slide, maxTokens: 150 }),
    ])
    expect((await tight.stats()).preemptions).toBeGreaterThan(0)
    expect(first).toEqual([tokens])
    expect(second).toEqual([tokens])
  })

  test("a request the memory cannot hold is refused, the engine goes on", async () => {
    const wrap = (backend: ReferenceBackend) =>
      replacing(backend, {
        createPages: (layout) => {
          const pages = backend.createPages(layout)
          const reserve = pages.reserve.bind(pages)
          pages.reserve = (count) => {
            if (count > 6) throw new OutOfMemoryError("no more pages")
            reserve(count)
          }
          return pages
        },
      })
    const llama = await tiny({ wrap })
    const outcomes = await Promise.allSettled([
      llama.generate(promptOf(80, 1), { maxTokens: 4 }).text(),
      ...[1, 2, 3].map((seed) => tokensOf(llama, promptOf(12, seed), { maxTokens: 20, seed })),
    ])
    expect(outcomes[0]).toMatchObject({ status: "rejected", reason: { code: "out_of_memory" } })
    expect(outcomes.slice(1).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"])
    await expectAllFree(llama)
  })

  test("tokens and options that make no sense are refused", async () => {
    const llama = await tiny()
    await expect(llama.generate([1, 9999]).text()).rejects.toThrow(InvalidOptionError)
    await expect(llama.generate([]).text()).rejects.toThrow(InvalidOptionError)
    await expect(llama.generate([0.5]).text()).rejects.toThrow("whole numbers")
    await expect(llama.generate([1], { logitBias: { 5000: 1 } }).text()).rejects.toThrow("5000")
    expect(() => llama.generate([1], { temperature: -1 })).toThrow(InvalidOptionError)
    expect((await llama.generate([1], { maxTokens: 0, n: 2 }).result()).map(({ tokens }) => tokens)).toEqual([
      [],
      [],
    ])
  })
})

describe("ends of an answer", () => {
  test("stop strings end it without a trace, even across tokens; stop tokens too", async () => {
    const llama = await tiny()
    const options = {
      temperature: 1,
      topP: 1,
      seed: 1,
      maxTokens: 60,
      ignoreEos: true,
      logitBias: onlyLetters,
    }
    const text = await llama.generate([bos], options).text()
    expect(text).toMatch(/^[a-z]{60}$/)
    const stop = text.slice(20, 24)
    const [stopped] = await llama.generate([bos], { ...options, stop: ["zzzzzz", stop] }).result()
    expect(stopped).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finishReason: "stop" })
    const pieces: Piece[] = []
    for await (const piece of llama.generate([bos], { ...options, stop })) pieces.push(piece)
    expect(pieces.map((piece) => piece.text).join("")).toBe(stopped.text)
    const token = text.charCodeAt(10)
    const [byToken] = await llama.generate([bos], { ...options, stopTokens: [token] }).result()
    expect(byToken).toMatchObject({ text: text.slice(0, text.indexOf(text[10])), finishReason: "stop" })
  })

  test("the model's own stop tokens end it, unless they are ignored", async () => {
    const llama = await tiny()
    const logitBias = { [endOfText]: 100 }
    const [ended] = await llama.generate([bos, 70], { logitBias, maxTokens: 5 }).result()
    expect(ended).toMatchObject({ text: "", tokens: [], finishReason: "stop" })
    const [ignored] = await llama.generate([bos, 70], { logitBias, maxTokens: 5, ignoreEos: true }).result()
    expect(ignored).toMatchObject({ text: "", tokens: Array(5).fill(endOfText), finishReason: "length" })
  })

  test("half characters are held back, and shown as U+FFFD where they stay halves", async () => {
    const llama = await tiny()
    const logitBias = { 0xe2: 100 }
    const [answer] = await llama.generate([bos], { temperature: 0, maxTokens: 3, logitBias }).result()
    expect(answer.text).toBe("\ufffd\ufffd\ufffd")
  })

  test("log probabilities belong to the raw logits", async () => {
    const llama = await tiny()
    const prompt = promptOf(10, 1)
    const options = { maxTokens: 4, temperature: 0, logprobs: 3, logitBias: { 65: 50 } }
    const [answer] = await llama.generate(prompt, options).result()
    const logits = await llama.logits([...prompt, ...answer.tokens])
    const V = tinyConfig.vocabularySize
    answer.logprobs!.forEach(({ logprob, top }, i) => {
      const row = logits.slice((9 + i) * V, (10 + i) * V)
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0)
      expect(logprob).toBeCloseTo(row[65] - Math.log(sum), 5)
      expect(top[0]).toMatchObject({ token: row.indexOf(Math.max(...row)) })
      expect(top).toHaveLength(3)
    })
  })
})

const onlyLetters = Object.fromEntries(
  Array.from({ length: tinyConfig.vocabularySize }, (_, id) => [
    id,
    id >= 97 && id <= 122 ? 0 : -Infinity,
  ]).filter(([, bias]) => bias !== 0),
) as Record<string, number>

describe("in groups", () => {
  const options: GenerateOptions = { maxTokens: 80, ignoreEos: true, seed: 5, promptLookup: false }
  const groupsOf = async (milliseconds: number): Promise<(readonly Piece[])[]> => {
    const groups: (readonly Piece[])[] = []
    const llama = await tiny()
    for await (const pieces of llama.generate(promptOf(9, 1), options).batches(milliseconds))
      groups.push(pieces)
    return groups
  }

  test("the first piece comes at once, the others together, and all are the same", async () => {
    const [single, grouped] = await Promise.all([groupsOf(0), groupsOf(3_600_000)])
    expect(grouped.map(({ length }) => length)).toEqual([1, 64, 15])
    expect(single.length).toBeGreaterThan(grouped.length)
    expect(grouped.flat()).toEqual(single.flat())
  })
})
