// The engine in its own thread: streams, crashes and what comes after them, prompt ends, and a process that exits.
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Worker, WorkerOptions } from "node:worker_threads"
import { DisposedError, EngineCrashedError, Llama, type LoadProgress, type Piece } from "cria"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { nativeAbsence } from "#cria/backends/index"
import { tinyLlama2c, type TinyFolder } from "./tiny-llama2c.js"

const threads = createRequire(import.meta.url)("node:worker_threads") as { Worker: typeof Worker }
const OriginalWorker = threads.Worker
const started: Worker[] = []

/** What the tests make an engine's thread do; `process.exit` in a worker ends only that. */
const saboteur = `
  import { threadId } from "node:worker_threads"
  const channel = new BroadcastChannel("cria-sabotage")
  channel.unref()
  channel.onmessage = ({ data: { thread, sabotage } }) => {
    if (thread !== threadId) return
    if (sabotage === "throw") throw new Error("sabotaged")
    if (sabotage === "reject") void Promise.reject(new Error("sabotaged"))
    if (sabotage === "exit") process.exit(3)
    if (sabotage === "memory") for (const all = []; ; ) all.push(new Array(100_000).fill(0).map((_, i) => ({ i })))
  }`

function sabotage(worker: Worker, sabotage: "throw" | "reject" | "exit" | "memory"): void {
  const channel = new BroadcastChannel("cria-sabotage")
  channel.postMessage({ thread: worker.threadId, sabotage })
  channel.close()
}

let folder: TinyFolder
beforeAll(async () => {
  folder = await tinyLlama2c()
  threads.Worker = class extends OriginalWorker {
    constructor(url: string | URL, options: WorkerOptions) {
      const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(saboteur)}`]
      super(url, { ...options, execArgv, resourceLimits: { maxOldGenerationSizeMb: 96 } })
      if (options.name === "cria-engine") started.push(this)
    }
  }
})
afterAll(async () => {
  threads.Worker = OriginalWorker
  await folder.remove()
})

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
  started.length = 0
})

async function load(options: Parameters<typeof Llama.load>[1] = {}): Promise<Llama> {
  const llama = await Llama.load(folder.path, { threads: 1, ...options })
  open.push(llama)
  return llama
}

const endless = { ignoreEos: true, temperature: 1, topP: 1 } as const

test("loads with progress, and answers like an engine in this thread", async () => {
  const events: LoadProgress[] = []
  const llama = await load({ onProgress: (event) => events.push(event) })
  expect(events.at(-1)).toMatchObject({ stage: "weights", loaded: events.at(-1)!.total })
  expect(llama.info).toMatchObject({
    format: "llama2c",
    threads: 1,
    contextLength: 4096,
    backendName: (await nativeAbsence()) === undefined ? "native" : "wasm",
  })
  expect(llama.tokenizer.decode(llama.tokenizer.encode("Grüße"))).toBe(" Grüße")
  const here = await load({ inProcess: true })
  const options = { ...endless, seed: 4, maxTokens: 60, n: 2, logprobs: 2 }
  const run = (of: Llama) => of.generate("Once upon a time", options).result()
  expect(await run(llama)).toEqual(await run(here))
  const ids = llama.tokenizer.encode("Once upon a time")
  expect(await llama.logits(ids)).toEqual(await here.logits(ids))
})

test("typed errors keep their class and numbers across the threads", async () => {
  const llama = await load({ contextLength: 32 })
  const error: unknown = await llama
    .generate("x".repeat(100))
    .text()
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ name: "ContextOverflowError", promptTokens: 102, contextLength: 32 })
  expect(error).toBeInstanceOf(Error)
  await expect(Llama.load(fileURLToPath(import.meta.url))).rejects.toMatchObject({ code: "invalid_file" })
  await expect(Llama.load("./no such folder")).rejects.toMatchObject({ code: "model_not_found" })
  await expect(load({ threads: -1 })).rejects.toMatchObject({ code: "invalid_option" })
})

test("an abort during the load ends it, and the thread", async () => {
  const controller = new AbortController()
  const reason = new Error("changed my mind")
  const loading = Llama.load(folder.path, { threads: 1, signal: controller.signal })
  setTimeout(() => controller.abort(reason), 20)
  await expect(loading).rejects.toBe(reason)
})

test("an abort stops a long prefill within 200 ms, others go on", async () => {
  const llama = await load()
  const other = llama.generate("b", { ...endless, maxTokens: 40 }).result()
  const controller = new AbortController()
  const reading = llama.generate("a".repeat(4000), { signal: controller.signal }).text()
  const rejected = reading.catch((reason: unknown) => reason)
  await new Promise((resolve) => setTimeout(resolve, 30))
  const start = performance.now()
  controller.abort()
  expect(await rejected).toBe(controller.signal.reason)
  while ((await llama.stats()).running > 1) expect(performance.now() - start).toBeLessThan(200)
  expect((await other)[0].tokens).toHaveLength(40)
})

test("a slow consumer does not grow the memory", async () => {
  const llama = await load()
  const iterator = llama.generate("a", endless)[Symbol.asyncIterator]()
  await iterator.next()
  let last = -1
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    const { generatedTokens } = await llama.stats()
    same = generatedTokens === last ? same + 1 : 0
    last = generatedTokens
  }
  expect(last).toBeLessThanOrEqual(257)
  await iterator.return(undefined)
  while ((await llama.stats()).running > 0);
  const { pages } = await llama.stats()
  expect(pages.free).toBe(pages.total)
})

describe("a crash rejects what was running, and the next request works", () => {
  const crashes: [string, (worker: Worker) => unknown][] = [
    ["terminated from outside", (worker) => worker.terminate()],
    ["an exception nobody caught", (worker) => sabotage(worker, "throw")],
    ["a rejection nobody caught", (worker) => sabotage(worker, "reject")],
    ["process.exit in the thread", (worker) => sabotage(worker, "exit")],
    ["out of memory", (worker) => sabotage(worker, "memory")],
  ]
  test.each(crashes)("%s", async (_, crash) => {
    const llama = await load()
    const expected = await llama.generate("hello", { ...endless, seed: 1, maxTokens: 20 }).text()
    const running = [llama.generate("a", endless).text(), llama.generate("b", { ...endless, n: 3 }).text()]
    await llama.generate("c", { maxTokens: 1 }).text() // the others have begun
    running.push(llama.logits(Array.from({ length: 4000 }, () => 5)).then(() => "logits"))
    const errors = running.map((promise) => promise.catch((error: unknown) => error))
    await crash(started[0])
    for (const error of await Promise.all(errors)) expect(error).toBeInstanceOf(EngineCrashedError)
    expect(await llama.generate("hello", { ...endless, seed: 1, maxTokens: 20 }).text()).toBe(expected)
    expect(started).toHaveLength(2)
  })

  test("while idle: nobody notices", async () => {
    const llama = await load()
    await started[0].terminate()
    const answers = [1, 2].map((seed) => llama.generate("a", { ...endless, seed, maxTokens: 5 }).result())
    for (const [answer] of await Promise.all(answers)) expect(answer.tokens).toHaveLength(5)
    expect(started).toHaveLength(2)
  })
})

test("dispose is prompt, ends what runs with DisposedError, and ends the thread", async () => {
  const llama = await load()
  const pieces: Piece[] = []
  const reading = (async () => {
    for await (const piece of llama.generate("a", endless)) pieces.push(piece)
  })()
  const prefill = llama.generate("a".repeat(4000)).text()
  const outcomes = Promise.allSettled([reading, prefill])
  await llama.generate("b", { maxTokens: 2 }).text()
  const exited = new Promise((resolve) => started[0].once("exit", resolve))
  const start = performance.now()
  await llama.dispose()
  expect(performance.now() - start).toBeLessThan(1500)
  await exited
  for (const outcome of await outcomes) {
    expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(DisposedError)
  }
  expect(pieces.length).toBeGreaterThan(0)
  await expect(llama.generate("a").text()).rejects.toBeInstanceOf(DisposedError)
  await llama.dispose()
})

describe("the process", () => {
  const run = async (body: string) => {
    const script = `
      import { Llama } from ${JSON.stringify(import.meta.resolve("cria"))}
      const llama = await Llama.load(${JSON.stringify(folder.path)}, { threads: 2 })
      ${body}`
    const start = performance.now()
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 30_000,
    })
    return { out: stdout.trim(), milliseconds: performance.now() - start }
  }

  test("exits by itself when nothing runs, without dispose", async () => {
    const { out } = await run(
      `console.log((await llama.generate("a", { maxTokens: 3, ignoreEos: true }).result())[0].tokens.length)`,
    )
    expect(out).toBe("3")
  })

  test("exits although an iteration was left lying around", async () => {
    const { out } = await run(`
      const iterator = llama.generate("a", { ignoreEos: true })[Symbol.asyncIterator]()
      console.log((await iterator.next()).value.index)`)
    expect(out).toBe("0")
  })

  test("stays alive for an answer nobody awaits", async () => {
    const { out } = await run(
      `llama.generate("a", { maxTokens: 200, ignoreEos: true }).result().then(([{ tokens }]) => console.log(tokens.length))`,
    )
    expect(out).toBe("200")
  })
})
