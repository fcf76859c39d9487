// Load on `cria serve` from a second process: many connections, some of them rude, against the same requests given to
// the engine directly. Linux only where it reads processor time.
// npx tsx bench/server-load.ts [model] [--connections 200] [--requests 600] [--tokens 64] [--turns 5] [--rounds 3]
// First turns of engine and server by turns, then rounds of load with rude clients.
// Needs a build, and a model: a path, or ../shared/reference/stories260K.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { Agent, get, request as httpRequest } from "node:http"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type * as cria from "../src/index.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: "string", default: "200" },
    requests: { type: "string", default: "600" },
    tokens: { type: "string", default: "64" },
    running: { type: "string", default: "32" },
    threads: { type: "string", default: "1" },
    turns: { type: "string", default: "5" },
    waiting: { type: "string", default: "16" },
    rounds: { type: "string", default: "3" },
  },
})
const stories = fileURLToPath(new URL("../../shared/reference/stories260K/stories260K.bin", import.meta.url))
const model = positionals[0] ?? stories
/** `waiting`: requests in line beside the running ones, so that a place is never empty for the time of a round trip. */
const [connections, requests, tokens, running, waiting, threads, turns, rounds] = (
  ["connections", "requests", "tokens", "running", "waiting", "threads", "turns", "rounds"] as const
).map((name) => Number(values[name]))
if (!existsSync(model)) {
  console.log(`there is no model at ${model}: name one`)
  process.exit(1)
}

/** Short requests before anything is measured, until V8 has optimized what handles them. */
const warmUp = 600

const prompt = "Once upon a time there was a little llama"
/** Keeps the stories model from ending early, so that all requests are of one length. */
const bias = { 1: -100, 2: -100 }

interface Outcome {
  readonly kind: "done" | "dropped" | "refused" | "error"
  readonly firstToken?: number
  readonly tokens: number
  readonly detail?: string
}

type Manner = "polite" | "dropping" | "slow"

function ask(
  url: URL,
  agent: Agent,
  stream: boolean,
  manner: Manner,
  seed: number,
  tokens: number,
): Promise<Outcome> {
  const body = JSON.stringify({
    model: "m",
    prompt,
    max_tokens: tokens,
    logit_bias: bias,
    seed,
    temperature: 1,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
  })
  return new Promise((resolve) => {
    const start = performance.now()
    let firstToken: number | undefined
    let events = 0
    let text = ""
    const end = (outcome: Omit<Outcome, "firstToken" | "tokens">, counted = events) =>
      resolve({ ...outcome, firstToken, tokens: counted })
    const outgoing = httpRequest(
      new URL("/v1/completions", url),
      {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (incoming) => {
        incoming.setEncoding("utf8")
        incoming.on("data", (chunk: string) => {
          firstToken ??= performance.now() - start
          events += chunk.split("data: {").length - 1
          text = (text + chunk).slice(-400)
          if (manner === "dropping" && events > tokens / 3) {
            outgoing.destroy()
            end({ kind: "dropped" })
          }
          if (manner === "slow") {
            incoming.pause()
            setTimeout(() => incoming.resume(), 20)
          }
        })
        incoming.on("end", () => {
          if (incoming.statusCode === 429 || incoming.statusCode === 503) return end({ kind: "refused" })
          const counted = Number(/"completion_tokens":(\d+)/.exec(text)?.[1] ?? 0)
          const whole = incoming.statusCode === 200 && (!stream || text.endsWith("data: [DONE]\n\n"))
          end(whole ? { kind: "done" } : { kind: "error", detail: `${incoming.statusCode} ${text}` }, counted)
        })
        incoming.on("error", (error) => end({ kind: "error", detail: error.message }))
      },
    )
    outgoing.on("error", (error) => end({ kind: "error", detail: error.message }))
    outgoing.end(body)
  })
}

/** `parallel` connections that ask one thing after the other. */
async function load(
  url: URL,
  parallel: number,
  count: number,
  stream: boolean,
  rude: boolean,
  length = tokens,
): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel })
  const outcomes: Outcome[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (next < count) {
        const seed = next++
        const manner: Manner = !rude
          ? "polite"
          : seed % 3 === 0
            ? "dropping"
            : seed % 10 === 1
              ? "slow"
              : "polite"
        outcomes.push(await ask(url, agent, stream, manner, seed, length))
      }
    }),
  )
  agent.destroy()
  return outcomes
}

const quantile = (numbers: number[], q: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(q * numbers.length))]

/** Milliseconds of processor time of the main thread and of all others. */
function processorTime(pid: number): { main: number; others: number } {
  let [main, others] = [0, 0]
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const fields = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8").split(") ")[1].split(" ")
    const milliseconds = (Number(fields[11]) + Number(fields[12])) * 10
    if (Number(task) === pid) main += milliseconds
    else others += milliseconds
  }
  return { main, others }
}

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024

/** What a turn came to: tokens a second, and microseconds of processor time a token. */
interface Turn {
  readonly rate: number
  readonly main: number
  readonly others: number
}

async function timed(pid: number, run: () => Promise<number>): Promise<Turn> {
  const before = processorTime(pid)
  const start = performance.now()
  const made = await run()
  const seconds = (performance.now() - start) / 1000
  const after = processorTime(pid)
  return {
    rate: made / seconds,
    main: ((after.main - before.main) * 1000) / made,
    others: ((after.others - before.others) * 1000) / made,
  }
}

/** The engine in this process, given `count` requests, so many at a time as the server runs. */
async function engineAlone(): Promise<(count: number, length?: number) => Promise<number>> {
  const { Llama } = (await import(new URL("../dist/node/index.js", import.meta.url).href)) as typeof cria
  const llama = await Llama.load(model, { threads })
  return async (count, length = tokens) => {
    let next = 0
    let made = 0
    await Promise.all(
      Array.from({ length: running }, async () => {
        while (next < count) {
          const options = { maxTokens: length, seed: next++, temperature: 1, logitBias: bias }
          for await (const piece of llama.generate(prompt, options)) if (piece.token !== undefined) made++
        }
      }),
    )
    return made
  }
}

async function startServer(): Promise<{ child: ChildProcess; url: URL }> {
  const main = fileURLToPath(new URL("../dist/node/cli.js", import.meta.url))
  const options =
    `--threads ${threads} --max-running ${running} --max-queue ${connections} --port 0 --json`.split(" ")
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

const metric = async (url: URL, pattern: RegExp): Promise<number> =>
  new Promise((resolve, reject) => {
    get(new URL("/metrics", url), (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      incoming.on("end", () => resolve(Number(pattern.exec(text)?.[1])))
    }).on("error", reject)
  })

const number = (value: number, digits = 0) => value.toFixed(digits).padStart(8)
const alone = await engineAlone()
const { child, url } = await startServer()
const pid = child.pid!
const overHttp = async (count: number, stream: boolean, length?: number) => {
  const outcomes = await load(url, running + waiting, count, stream, false, length)
  return outcomes.reduce((sum, outcome) => sum + outcome.tokens, 0)
}
await alone(warmUp, 8)
for (const stream of [false, true]) await overHttp(warmUp, stream, 8)
const measured: Record<"engine alone" | "whole answers" | "streamed", Turn[]> = {
  "engine alone": [],
  "whole answers": [],
  streamed: [],
}
for (let turn = 0; turn < turns; turn++) {
  measured["engine alone"].push(await timed(process.pid, () => alone(requests / 4)))
  for (const stream of [false, true])
    measured[stream ? "streamed" : "whole answers"].push(
      await timed(pid, () => overHttp(requests / 4, stream)),
    )
}
for (const [name, all] of Object.entries(measured)) {
  const median = (numbers: number[]) => quantile(numbers, 0.5)
  const ratio = median(all.map(({ rate }, turn) => rate / measured["engine alone"][turn].rate))
  console.log(
    `${name.padEnd(14)} ${number(median(all.map(({ rate }) => rate)))} tokens/s, ${number(ratio, 3)} of the engine; µs a token: ` +
      `main thread ${number(median(all.map(({ main }) => main)), 1)}, others ${number(median(all.map(({ others }) => others)), 1)}`,
  )
}

console.log(
  `${connections} connections, a third drops out, a tenth reads slowly; resident ${number(residentMegabytes(pid))} MB before`,
)
for (let round = 0; round < rounds; round++) {
  const start = performance.now()
  const outcomes = await load(url, connections, requests, true, true)
  const seconds = (performance.now() - start) / 1000
  const count = (kind: Outcome["kind"]) => outcomes.filter((outcome) => outcome.kind === kind).length
  const first = outcomes.flatMap(({ firstToken }) => firstToken ?? [])
  const made = outcomes.reduce((sum, outcome) => sum + outcome.tokens, 0)
  await new Promise((resolve) => setTimeout(resolve, 7000)) // a server at rest gives memory back after five seconds
  const left = await metric(url, /cria_batch_size\{[^}]*\} (\d+)/)
  const used = await metric(url, /cria_cache_pages\{[^}]*"used"\} (\d+)/)
  console.log(
    `  round ${round + 1}: ${count("done")} done, ${count("dropped")} dropped, ${count("refused")} refused, ` +
      `${count("error")} errors; first token p50 ${number(quantile(first, 0.5))} p99 ${number(quantile(first, 0.99))} ms; ` +
      `${number(made / seconds)} tokens/s; after it ${left} running, ${used} pages, resident ${number(residentMegabytes(pid))} MB`,
  )
  for (const { detail } of outcomes.filter(({ kind }) => kind === "error").slice(0, 3))
    console.log("   ", detail)
}
child.kill("SIGTERM")
