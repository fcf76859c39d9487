// What happens to a step that is interrupted or fails, to requests that are given up, and to consumers that sleep.
import { afterEach, describe, expect, test } from "vitest"
import { type Backend, Interrupted } from "../backends/backend.js"
import { ReferenceBackend } from "../backends/reference/reference.js"
import { DisposedError, EngineCrashedError, InvalidOptionError } from "../errors/index.js"
import { forward } from "../model/llama.js"
import type { LinkHandlers, OpenLink } from "./link.js"
import { Llama } from "./llama.js"
import type { Command } from "./protocol.js"
import { uniform } from "./random.js"
import { bos, replacing, tinyConfig, tinyLink, tinyModel, type TinyOptions } from "./tiny-model-fixture.js"

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
})

async function tiny(options: TinyOptions | OpenLink = {}): Promise<Llama> {
  const llama = await Llama.open(typeof options === "function" ? options : tinyLink(options))
  open.push(llama)
  return llama
}

const promptOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i === 0 ? bos : Math.floor(uniform(seed, i) * 260)))

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

type Read = Backend["read"]

/** An engine whose backend's `read` is what the test makes of it. */
const reading = (change: (read: Read) => Read, more: Partial<Backend> = {}): TinyOptions => ({
  wrap: (backend) => replacing(backend, { ...more, read: change((tensor) => backend.read(tensor)) }),
})

async function expectAllFree(llama: Llama): Promise<void> {
  const { pages, running, waiting } = await llama.stats()
  expect({ free: pages.free, running, waiting }).toEqual({ free: pages.total, running: 0, waiting: 0 })
}

describe("a step is a transaction", () => {
  test("interrupted steps are done again, and no text changes", async () => {
    const prompts = [1, 2, 3].map((seed) => promptOf(30 * seed, seed))
    const run = (llama: Llama) =>
      Promise.all(prompts.map((prompt) => llama.generate(prompt, { seed: 1, maxTokens: 25, n: 2 }).result()))
    const expected = await run(await tiny())
    const interrupt = new Int32Array(new SharedArrayBuffer(4))
    let reads = 0
    let lostCopies = 0
    let fails = false
    const llama = await tiny({
      wrap: (backend) =>
        replacing(backend, {
          interrupt,
          read: async (tensor) => {
            const values = await backend.read(tensor) // what the step wrote into the cache stays there
            if (reads++ % 3 !== 0 && !fails) return values
            fails = false
            interrupt[0] = 1
            throw new Interrupted()
          },
          createPages: (layout) => {
            const pages = backend.createPages(layout)
            const copy = pages.copy.bind(pages)
            // a copy is recorded work like any other: an interrupted step may leave it undone
            pages.copy = (from, to) => {
              fails = lostCopies < 3
              if (fails) lostCopies++
              else copy(from, to)
            }
            return pages
          },
        }),
    })
    expect(await run(llama)).toEqual(expected)
    expect(interrupt[0]).toBe(0)
    expect(lostCopies).toBe(3)
    await expectAllFree(llama)
  })

  test("a step that fails ends the requests in it, and the next one works", async () => {
    let fails = false
    const llama = await tiny(
      reading((read) => (tensor) => (fails ? Promise.reject(new Error("boom")) : read(tensor))),
    )
    const prompt = promptOf(40, 1)
    const expected = await llama.generate(prompt, { seed: 3, maxTokens: 10 }).result()
    fails = true
    const outcomes = await Promise.allSettled([1, 2].map((seed) => llama.generate(prompt, { seed }).text()))
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { message: "boom" } })
    fails = false
    await expectAllFree(llama)
    const [again] = await llama.generate(prompt, { seed: 3, maxTokens: 10 }).result()
    expect(again.tokens).toEqual(expected[0].tokens)
  })

  test("what is wrong with one request does not touch the others", async () => {
    const llama = await tiny()
    const logitBias = Object.fromEntries(
      Array.from({ length: tinyConfig.vocabularySize }, (_, id) => [id, -Infinity]),
    )
    const [wrong, right] = await Promise.allSettled([
      llama.generate(promptOf(5, 1), { logitBias }).text(),
      llama.generate(promptOf(5, 1), { maxTokens: 5, ignoreEos: true }).result(),
    ])
    expect(wrong).toMatchObject({ status: "rejected", reason: { code: "invalid_option" } })
    expect(right).toMatchObject({ status: "fulfilled", value: [{ finishReason: "length" }] })
    await expectAllFree(llama)
  })

  test("a broken backend rejects what runs, and the next request gets a new engine", async () => {
    let loads = 0
    const llama = await tiny((handlers, hooks) => {
      const first = loads++ === 0
      const broken = reading((read) => async (tensor) => {
        if (first && tensor.shape[0] > 1) throw new EngineCrashedError("a thread ended")
        return read(tensor)
      })
      return tinyLink(broken)(handlers, hooks)
    })
    const crash = [
      llama.generate([bos], { maxTokens: 50, ignoreEos: true }).text(),
      llama.generate([bos, 1]).text(),
    ]
    for (const outcome of await Promise.allSettled(crash)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "engine_crashed" } })
    }
    expect((await llama.generate([bos], { maxTokens: 5, ignoreEos: true }).result())[0].tokens).toHaveLength(
      5,
    )
    expect(loads).toBe(2)
  })
})

describe("giving up", () => {
  test("an abort stops a long prefill between two chunks", async () => {
    let steps = 0
    const slow = reading((read) => async (tensor) => {
      steps++
      await sleep(20)
      return read(tensor)
    })
    const llama = await tiny({ ...slow, contextLength: 4096, cacheTokens: 4096 })
    const controller = new AbortController()
    const { signal } = controller
    const outcomes = [
      llama.generate(promptOf(4000, 1), { signal }).text(),
      llama.logits(promptOf(2000, 1), { signal }).then(() => "logits"),
    ]
    await sleep(100)
    const reason = new Error("enough")
    const before = steps
    controller.abort(reason)
    for (const outcome of await Promise.allSettled(outcomes)) expect(outcome).toMatchObject({ reason })
    await expectAllFree(llama)
    await sleep(60)
    expect(steps).toBe(before) // the one that was running
    await expect(llama.generate([bos], { signal }).text()).rejects.toBe(reason)
  })

  test("leaving the iteration frees the pages", async () => {
    const llama = await tiny()
    for await (const piece of llama.generate(promptOf(30, 1), { ignoreEos: true, n: 3 })) {
      if (piece.token !== undefined) break
    }
    await expectAllFree(llama)
  })

  test("a generation can be read once", async () => {
    const generation = (await tiny()).generate([bos], { maxTokens: 2 })
    await generation.text()
    await expect(generation.text()).rejects.toThrow(InvalidOptionError)
  })

  test("dispose ends what runs with DisposedError, and what comes later", async () => {
    const llama = await tiny()
    const running = llama.generate([bos], { ignoreEos: true }).text()
    const iterator = llama.generate([bos], { ignoreEos: true })[Symbol.asyncIterator]()
    await iterator.next()
    const scores = llama.logits(promptOf(500, 1))
    await Promise.all([
      expect(running).rejects.toThrow(DisposedError),
      expect(scores).rejects.toThrow(DisposedError),
      llama.dispose(),
    ])
    await expect(iterator.next()).rejects.toThrow(DisposedError)
    await expect(llama.generate([bos]).text()).rejects.toThrow(DisposedError)
    await expect(llama.stats()).rejects.toThrow(DisposedError)
    await llama.dispose()
  })
})

describe("consumers that sleep", () => {
  test("the engine runs ahead by a bounded number of pieces, and others go on", async () => {
    const llama = await tiny({ contextLength: 512, cacheTokens: 560 })
    const iterator = llama.generate([bos], { ignoreEos: true, seed: 1 })[Symbol.asyncIterator]()
    const tokens = [(await iterator.next()).value!.token]
    let generated = 0
    for (let idle = 0; idle < 5; ) {
      await sleep(20)
      const now = (await llama.stats()).generatedTokens
      idle = now === generated && now > 200 ? idle + 1 : 0
      generated = now
      expect(now).toBeLessThanOrEqual(257)
    }
    // the sleeper's pages are needed: it is set back, and later goes on as if nothing had been
    const [other] = await llama.generate(promptOf(400, 1), { ignoreEos: true, maxTokens: 9 }).result()
    expect(other.tokens).toHaveLength(9)
    expect((await llama.stats()).preemptions).toBeGreaterThan(0)
    while (tokens.length < 330) tokens.push((await iterator.next()).value!.token)
    await iterator.return()
    const [alone] = await llama.generate([bos], { ignoreEos: true, seed: 1, maxTokens: 330 }).result()
    expect(tokens).toEqual(alone.tokens)
    await expectAllFree(llama)
  })
})

describe("logits", () => {
  test("are those of the forward pass, whatever the chunks, beside other requests, at any position", async () => {
    const llama = await tiny({ cacheTokens: 1024 })
    const ids = promptOf(150, 5)
    const stream = llama.generate(promptOf(9, 1), { maxTokens: 30, ignoreEos: true }).text()
    const [here, far] = await Promise.all([
      llama.logits(ids),
      llama.logits(ids, { firstPosition: 1000 }),
      stream,
    ])
    const backend = await ReferenceBackend.create()
    const model = tinyModel(backend)
    const pages = backend.createPages({
      layers: 2,
      kvHeads: 2,
      headWidth: 8,
      pageTokens: 8,
      capacity: 19,
      dtype: "f16",
    })
    const alone = (firstPosition: number) => {
      const table = Int32Array.from({ length: 19 }, (_, i) => i)
      return backend.read(
        forward(
          backend,
          model,
          {
            ids: Int32Array.from(ids),
            positions: Int32Array.from(ids, (_, i) => firstPosition + i),
            sequences: [{ first: 0, length: ids.length, cached: 0, pages: table }],
            outputs: Int32Array.from(ids.keys()),
          },
          pages,
        ),
      )
    }
    expect(here).toEqual(await alone(0))
    expect(far).toEqual(await alone(1000))
    expect(far).not.toEqual(here)
    await expectAllFree(llama)
  })
})

describe("the boundary", () => {
  test("messages that make no sense are answered with an error, and do no harm", async () => {
    const events: unknown[] = []
    const handlers: LinkHandlers = { onEvent: (event) => events.push(event), onCrash: () => {} }
    const link = await tinyLink()(handlers, {})
    const hostile = [undefined, null, 5, {}, { type: "generate", id: 1 }, { type: "nonsense", id: 2 }]
    for (const message of hostile) link.post(message as unknown as Command)
    link.post({ type: "cancel", id: 77 })
    link.post({ type: "grant", id: 77, credit: 5 })
    link.post({ type: "stats", id: 3 })
    expect(events).toMatchObject([
      { failed: [[1, { code: "invalid_option" }]] },
      { failed: [[2, { code: "invalid_option" }]] },
      { type: "stats", id: 3, stats: { running: 0 } },
    ])
    await link.close()
  })
})
