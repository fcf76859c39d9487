import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { type Message } from "../chat/index.js"
import type { Llama } from "../engine/llama.js"
import type { GenerateOptions, Piece } from "../engine/options.js"
import { ContextOverflowError } from "../errors/index.js"
import type { Context } from "./context.js"
import { Interrupted, Lifetime } from "./lifetime.js"
import { FakeKeyboard, FakeScreen } from "./screen-fixture.js"
import { Talk } from "./talk.js"

/** Says the words of `answer` with a pause before each, and keeps what it was asked. */
function talk(answer: (messages: readonly Message[]) => string[], pause = 0) {
  const asked: { messages: readonly Message[]; options: GenerateOptions }[] = []
  const llama = {
    info: {
      path: "/models/fake",
      weights: { int4: 1000 },
      weightBytes: 1000,
      sampling: { temperature: 0.6, topP: 0.9 },
      tokenBytes: 1000,
      backend: "fake, 1 thread",
      contextLength: 100,
    },
    async *chat(messages: readonly Message[], options: GenerateOptions): AsyncGenerator<Piece> {
      asked.push({ messages: [...messages], options })
      const words = answer(messages)
      for (const [token, text] of words.entries()) {
        await sleep(pause, undefined, { signal: options.signal })
        yield { text, token, index: 0 }
      }
      const usage = { promptTokens: 7, cachedTokens: 0, completionTokens: words.length }
      yield { text: "", index: 0, finishReason: "stop", usage }
    },
    stats: async () => ({ pages: { total: 4, free: 3, cached: 1 } }),
  } as unknown as Llama
  const keyboard = new FakeKeyboard()
  const out = new FakeScreen()
  const err = new FakeScreen(false)
  const lifetime = new Lifetime()
  const context: Context = { stdin: keyboard.asStdin(), out, err, env: {}, lifetime }
  const run = new Talk(context, llama, { history: false, system: "Be brief.", temperature: 0 }).run(undefined)
  /** Types, and waits for so many milliseconds, or until nothing more is written. */
  const type = async (text: string, wait?: number) => {
    keyboard.write(text)
    if (wait !== undefined) return sleep(wait)
    for (let before = -1; before !== out.written.length; ) {
      before = out.written.length
      await sleep(60)
    }
  }
  return { asked, out, err, lifetime, run, type }
}

test("questions, commands and answers follow one another", async () => {
  const { asked, out, run, type } = talk(() => ["Hi", " there"])
  await type("Hello\r")
  await type("/set temperature 0.5\r")
  await type("And?\r")
  await type("/exit\r")
  await run
  expect(asked.map(({ options }) => options.temperature)).toEqual([0, 0.5])
  expect(asked[1].messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Hi there" },
    { role: "user", content: "And?" },
  ])
  expect(out.text).toContain("/models/fake")
  expect(out.text).toMatch(/Hi there\n2 tokens .*context 9 of 100 \(9%\)/)
})

test("Ctrl-C stops an answer and keeps what was said; once more leaves with 130", async () => {
  const { asked, out, run, type } = talk(() => Array(1000).fill("word "), 10)
  const end = run.catch((error: unknown) => error)
  await type("Go\r", 150)
  await type("\u0003", 100)
  expect(out.text).toMatch(/word \nstopped · \d+ tokens/)
  await type("On\r", 100)
  expect(asked[1].messages[2]).toMatchObject({ role: "assistant", content: expect.stringMatching(/^word /) })
  await type("\u0003", 100)
  await type("\u0003", 100)
  expect(await end).toMatchObject({ exitCode: 130 })
})

test("a second Ctrl-C leaves even while the first has not stopped the answer", async () => {
  const { run, type } = talk(() => ["never"], 100_000)
  const end = run.catch((error: unknown) => error)
  await type("Go\r", 100)
  await type("\u0003\u0003")
  expect(await end).toBeInstanceOf(Interrupted)
})

test("a failure takes the question back and the talk goes on", async () => {
  let fails = true
  const { asked, err, run, type } = talk(() => {
    if (fails) throw new ContextOverflowError(500, 100)
    return ["Fine"]
  })
  await type("Too long\r")
  expect(err.text).toMatch(/error: the prompt has 500 tokens, but the context holds 100: .*\/undo/)
  fails = false
  await type("Short\r")
  await type("\u0004")
  await run
  expect(asked[1].messages.map(({ content }) => content)).toEqual(["Be brief.", "Short"])
})

test("the end of the process ends the talk", async () => {
  const { lifetime, run, type } = talk(() => ["x"])
  const end = run.catch((error: unknown) => error)
  await type("")
  lifetime.abort("SIGTERM")
  expect(await end).toMatchObject({ exitCode: 143 })
})
