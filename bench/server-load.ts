// The cost of HTTP over the engine, and load on `cria serve` from a second process. Linux only: it reads processor time by
// thread.
// npx tsx bench/server-load.ts [model] [--threads 2] [--tokens 256] [--turns 5] [--seconds 3] [--rounds 3] ...
//
// Cost: the same requests, 32 at a time, are given to the engine of this process and to the server, by turns of some
// seconds: whole answers by `result()` and by HTTP, pieces by `for await` and by a stream. Two figures, medians of the turns:
// - tokens a second over HTTP, of those of the engine in the same turn. The clients share the machine here, which they would
//   not in real life; their processor time is shown, and no part of what HTTP is charged with in the second figure.
// - processor time that HTTP adds: what the main thread takes for a token above what it takes when the engine is used
//   without HTTP, of all that the engine takes. It does not depend on what else the machine does.
// Answers have 1/2 to 3/2 of `--tokens`. Both engines are warm, and V8 has optimized what handles requests.
//
// Load: 200 connections, some of them rude: nothing may fail, and the memory is back.
// Needs a build (`--build`, another one than ../dist, to compare), and a model: a path, or ../shared/reference/stories260K.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { get } from "node:http"
import { setMaxListeners } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type * as cria from "../src/index.js"
import { bias, lengthOf, type Outcome, run, task } from "./load-client.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string", default: fileURLToPath(new URL("../dist", import.meta.url)) },
    connections: { type: "string", default: "200" },
    tokens: { type: "string", default: "256" },
    running: { type: "string", default: "32" },
    threads: { type: "string", default: "2" },
    turns: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
  },
})
const stories = fileURLToPath(new URL("../../shared/reference/stories260K/stories260K.bin", import.meta.url))
const model = positionals[0] ?? stories
const build = pathToFileURL(`${values.build}/`)
const [connections, tokens, running, threads, turns, seconds, rounds] = (
  ["connections", "tokens", "running", "threads", "turns", "seconds", "rounds"] as const
).map((name) => Number(values[name]))
if (!existsSync(model)) {
  console.log(`there is no model at ${model}: name one`)
  process.exit(1)
}

/** Short requests of each form before anything is measured, until V8 has optimized what handles them; after 2,000 it has not. */
const warmUp = { requests: 6000, tokens: 2 }
/** Requests of the rounds with rude clients, and tokens of their answers. */
const rudeLoad = { requests: 300, tokens: 64 }

/** Seconds of work before each measurement, until as many run as can. */
const rampUp = 1

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds))

const quantile = (numbers: number[], q: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(q * numbers.length))]

/** Microseconds of processor time of the main thread and of all others. */
function processorTime(pid: number): { main: number; others: number } {
  let [main, others] = [0, 0]
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const microseconds =
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1000
    if (Number(task) === pid) main += microseconds
    else others += microseconds
  }
  return { main, others }
}

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024

/** What a turn came to: tokens a second, microseconds of processor time a token, tokens a step of the engine. */
interface Turn {
  readonly rate: number
  readonly main: number
  readonly others: number
  readonly client: number
  readonly batch: number
}

/** What an engine has done so far. */
interface Counts {
  readonly steps: number
  readonly tokens: number
}

/** Measures `seconds` in the middle of work that goes on until it is told to stop. */
async function timed(
  pid: number,
  counts: () => Promise<Counts>,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<Turn> {
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const working = work(stop.signal)
  await pause(rampUp)
  const before = {
    ...(await counts()),
    ...processorTime(pid),
    client: process.cpuUsage(),
    at: performance.now(),
  }
  await Promise.race([working, pause(seconds)])
  const client = process.cpuUsage(before.client)
  const after = { ...(await counts()), ...processorTime(pid), at: performance.now() }
  stop.abort()
  await working
  const made = after.tokens - before.tokens
  return {
    rate: (1000 * made) / (after.at - before.at),
    main: (after.main - before.main) / made,
    others: (after.others - before.others) / made,
    client: pid === process.pid ? 0 : (client.user + client.system) / made,
    batch: made / (after.steps - before.steps),
  }
}

const { Llama } = (await import(new URL("node/index.js", build).href)) as typeof cria
const llama = await Llama.load(model, { threads })

/** Gives the engine of this process requests, so many at a time as the server runs. */
async function askEngine(
  whole: boolean,
  signal?: AbortSignal,
  count = Number.POSITIVE_INFINITY,
  length = tokens,
) {
  const stopped = () => signal?.aborted ?? false
  let next = 0
  const ask = async (seed: number) => {
    const maxTokens = lengthOf(seed, length)
    const options = { maxTokens, seed, temperature: task.temperature, logitBias: bias, signal }
    const generation = llama.generate(task.prompt, options)
    if (whole) await generation.result()
    else for await (const _ of generation);
  }
  await Promise.all(
    Array.from({ length: running }, async () => {
      while (next < count && !stopped())
        await ask(next++).catch((error: unknown) => {
          if (!stopped()) throw error
        })
    }),
  )
}

async function startServer(): Promise<{ child: ChildProcess; url: URL }> {
  const options =
    `--threads ${threads} --max-running ${running} --max-queue ${connections} --port 0 --json`.split(" ")
  const main = fileURLToPath(new URL("node/cli.js", build))
  const child = spawn(process.execPath, [main, "serve", "--model", `m=${model}`, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const lines = createInterface({ input: child.stdout })
  const url = await new Promise<URL>((resolve, reject) => {
    lines.on("line", (line) => {
      const entry = JSON.parse(line) as { event: string; url: string; message?: string }
      if (entry.event === "listening") resolve(new URL(entry.url))
      if (entry.event === "error") console.log("server:", entry.message)
    })
    child.on("exit", (code) => reject(new Error(`the server ended with code ${code}`)))
  })
  return { child, url }
}

const metrics = async (): Promise<(pattern: RegExp) => number> =>
  new Promise((resolve, reject) => {
    get(new URL("/metrics", url), (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      incoming.on("end", () => resolve((pattern) => Number(pattern.exec(text)?.[1])))
    }).on("error", reject)
  })

const { child, url } = await startServer()
const pid = child.pid!
async function askServer(
  stream: boolean,
  signal?: AbortSignal,
  count?: number,
  length = tokens,
): Promise<void> {
  const outcomes = await run({ url, connections, requests: count, signal, tokens: length, stream })
  const failed = outcomes.find(({ kind }) => kind !== "done" && !(kind === "dropped" && signal?.aborted))
  if (failed) throw new Error(`a request was not answered: ${failed.kind} ${failed.detail}`)
}
for (const form of [true, false]) {
  await askEngine(form, undefined, warmUp.requests, warmUp.tokens)
  await askServer(form, undefined, warmUp.requests, warmUp.tokens)
}

async function engineCounts(): Promise<Counts> {
  const { steps, generatedTokens } = await llama.stats()
  return { steps, tokens: generatedTokens }
}
async function serverCounts(): Promise<Counts> {
  const of = await metrics()
  return {
    steps: of(/cria_steps_total\{[^}]*\} (\d+)/),
    tokens: of(/cria_generated_tokens_total\{[^}]*\} (\d+)/),
  }
}
const pairs = ["whole answers", "streamed"].map((name, at) => ({
  name,
  engine: [] as Turn[],
  server: [] as Turn[],
  askEngine: () => timed(process.pid, engineCounts, (signal) => askEngine(at === 0, signal)),
  askServer: () => timed(pid, serverCounts, (signal) => askServer(at === 1, signal)),
}))
for (let turn = 0; turn < turns; turn++)
  for (const pair of pairs) {
    if (turn % 2 === 1) pair.server.push(await pair.askServer())
    pair.engine.push(await pair.askEngine())
    if (turn % 2 === 0) pair.server.push(await pair.askServer())
  }

console.log(
  `answers of ${tokens} tokens on average, ${running} at a time, ${connections} connections, ` +
    `threads of the engine: ${threads}, ${turns} turns of ${seconds} s`,
)
for (const { name, engine, server } of pairs) {
  const median = (all: Turn[], of: (turn: Turn, at: number) => number) => quantile(all.map(of), 0.5)
  const shown = (all: Turn[]) =>
    `${median(all, ({ rate }) => rate).toFixed(0)} tokens/s (${median(all, ({ batch }) => batch).toFixed(1)} a step), ` +
    `µs a token: main thread ${median(all, ({ main }) => main).toFixed(1)}, engine ${median(all, ({ others }) => others).toFixed(0)}`
  const ratios = server.map(({ rate }, at) => rate / engine[at].rate)
  const added = median(server, ({ main }, at) => main - engine[at].main)
  const all = median(engine, ({ main, others }) => main + others)
  console.log(
    `${name}: ${quantile(ratios, 0.5).toFixed(3)} of the engine's tokens/s (${ratios.map((ratio) => ratio.toFixed(3)).join(", ")})`,
  )
  console.log(
    `  processor time: HTTP adds ${added.toFixed(1)} µs to the engine's ${all.toFixed(0)} for a token, ${((100 * added) / all).toFixed(1)} %`,
  )
  console.log(`  engine alone: ${shown(engine)}`)
  console.log(
    `  over HTTP:    ${shown(server)}, clients ${median(server, ({ client }) => client).toFixed(1)}`,
  )
}
await llama.dispose()

if (rounds > 0)
  console.log(
    `${connections} connections, a third drops out, a tenth reads slowly; resident ${(residentMegabytes(pid)).toFixed(0)} MB before`,
  )
for (let round = 0; round < rounds; round++) {
  const start = performance.now()
  const outcomes = await run({ url, connections, ...rudeLoad, stream: true, rude: true })
  const took = (performance.now() - start) / 1000
  const count = (kind: Outcome["kind"]) => outcomes.filter((outcome) => outcome.kind === kind).length
  const first = outcomes.flatMap(({ firstToken }) => firstToken ?? [])
  const made = outcomes.reduce((sum, outcome) => sum + outcome.tokens, 0)
  await pause(7) // a server at rest gives memory back after five seconds
  const of = await metrics()
  const [left, used] = [of(/cria_batch_size\{[^}]*\} (\d+)/), of(/cria_cache_pages\{[^}]*"used"\} (\d+)/)]
  console.log(
    `  round ${round + 1}: ${count("done")} done, ${count("dropped")} dropped, ${count("refused")} refused, ` +
      `${count("error")} errors; first token p50 ${(quantile(first, 0.5)).toFixed(0)} p99 ${(quantile(first, 0.99)).toFixed(0)} ms; ` +
      `${(made / took).toFixed(0)} tokens/s; after it ${left} running, ${used} pages, resident ${(residentMegabytes(pid)).toFixed(0)} MB`,
  )
  for (const { detail } of outcomes.filter(({ kind }) => kind === "error").slice(0, 3))
    console.log("   ", detail)
}
child.kill("SIGTERM")
