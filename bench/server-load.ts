// Load on `cria serve` from a second process, against the same requests given to the engine directly. Linux only: it reads
// processor time by thread.
// npx tsx bench/server-load.ts [model] [--threads 1] [--connections 200] [--requests 600] [--tokens 64] [--turns 5] [--rounds 3]
// First engine and server by turns: tokens a second, and where processor time goes. The client's own work is no part of
// HTTP's cost, but it needs a core: with as many threads as cores it takes the engine's time. Then rounds with rude clients.
// Needs a build (`--build`, another one than ../dist, to compare), and a model: a path, or ../shared/reference/stories260K.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { get } from "node:http"
import { createInterface } from "node:readline"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type * as cria from "../src/index.js"
import { bias, type Outcome, run, task } from "./load-client.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string", default: fileURLToPath(new URL("../dist", import.meta.url)) },
    connections: { type: "string", default: "200" },
    requests: { type: "string", default: "600" },
    tokens: { type: "string", default: "64" },
    running: { type: "string", default: "32" },
    threads: { type: "string", default: "1" },
    turns: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
  },
})
const stories = fileURLToPath(new URL("../../shared/reference/stories260K/stories260K.bin", import.meta.url))
const model = positionals[0] ?? stories
const build = pathToFileURL(`${values.build}/`)
const [connections, requests, tokens, running, threads, turns, rounds] = (
  ["connections", "requests", "tokens", "running", "threads", "turns", "rounds"] as const
).map((name) => Number(values[name]))
if (!existsSync(model)) {
  console.log(`there is no model at ${model}: name one`)
  process.exit(1)
}

/** Short requests before anything is measured, until V8 has optimized what handles them; after 600 it has not. */
const warmUp = { requests: 2000, tokens: 2 }

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

/** What a turn came to: tokens a second, microseconds of processor time a token, tokens a step of the engine. */
interface Turn {
  readonly rate: number
  readonly main: number
  readonly others: number
  readonly client: number
  readonly batch: number
}

async function timed(pid: number, steps: () => Promise<number>, work: () => Promise<number>): Promise<Turn> {
  const stepsBefore = await steps()
  const before = processorTime(pid)
  const clientBefore = process.cpuUsage()
  const start = performance.now()
  const made = await work()
  const seconds = (performance.now() - start) / 1000
  const client = process.cpuUsage(clientBefore)
  const after = processorTime(pid)
  return {
    rate: made / seconds,
    main: ((after.main - before.main) * 1000) / made,
    others: ((after.others - before.others) * 1000) / made,
    client: pid === process.pid ? 0 : (client.user + client.system) / made,
    batch: made / ((await steps()) - stepsBefore),
  }
}

const { Llama } = (await import(new URL("node/index.js", build).href)) as typeof cria
const llama = await Llama.load(model, { threads })

/** Gives the engine of this process `count` requests, so many at a time as the server runs. */
async function askEngine(count: number, length = tokens): Promise<number> {
  let next = 0
  let made = 0
  await Promise.all(
    Array.from({ length: running }, async () => {
      while (next < count) {
        const options = { maxTokens: length, seed: next++, temperature: task.temperature, logitBias: bias }
        for await (const piece of llama.generate(task.prompt, options)) if (piece.token !== undefined) made++
      }
    }),
  )
  return made
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

const metric = async (pattern: RegExp): Promise<number> =>
  new Promise((resolve, reject) => {
    get(new URL("/metrics", url), (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      incoming.on("end", () => resolve(Number(pattern.exec(text)?.[1])))
    }).on("error", reject)
  })

const { child, url } = await startServer()
const pid = child.pid!
const askServer = async (count: number, stream: boolean, length = tokens) => {
  const outcomes = await run({ url, connections, requests: count, tokens: length, stream })
  const failed = outcomes.find(({ kind }) => kind !== "done")
  if (failed) throw new Error(`a request was not answered: ${failed.kind} ${failed.detail}`)
  return outcomes.reduce((sum, outcome) => sum + outcome.tokens, 0)
}
await askEngine(warmUp.requests, warmUp.tokens)
for (const stream of [false, true]) await askServer(warmUp.requests, stream, warmUp.tokens)

const engineSteps = async () => (await llama.stats()).steps
const serverSteps = () => metric(/cria_steps_total\{[^}]*\} (\d+)/)
const forms = {
  "engine alone": () => timed(process.pid, engineSteps, () => askEngine(requests)),
  "whole answers": () => timed(pid, serverSteps, () => askServer(requests, false)),
  streamed: () => timed(pid, serverSteps, () => askServer(requests, true)),
}
type Form = keyof typeof forms
const measured: Record<Form, Turn[]> = { "engine alone": [], "whole answers": [], streamed: [] }
for (let turn = 0; turn < turns; turn++)
  for (const form of Object.keys(forms) as Form[]) measured[form].push(await forms[form]())

const number = (value: number, digits = 0) => value.toFixed(digits).padStart(digits > 0 ? 6 : 5)
console.log(
  `${requests} requests of ${tokens} tokens, ${running} at a time, threads of the engine: ${threads}`,
)
for (const [name, all] of Object.entries(measured)) {
  const median = (of: (turn: Turn, at: number) => number) => quantile(all.map(of), 0.5)
  const ratio = median(({ rate }, turn) => rate / measured["engine alone"][turn].rate)
  console.log(
    `${name.padEnd(14)} ${number(median(({ rate }) => rate))} tokens/s, ${number(ratio, 3)} of the engine; ` +
      `µs a token: main thread ${number(
        median(({ main }) => main),
        1,
      )}, engine ${number(
        median(({ others }) => others),
        1,
      )}, ` +
      `client ${number(
        median(({ client }) => client),
        1,
      )}; tokens a step ${number(
        median(({ batch }) => batch),
        1,
      )}`,
  )
}
await llama.dispose()

if (rounds > 0)
  console.log(
    `${connections} connections, a third drops out, a tenth reads slowly; resident ${number(residentMegabytes(pid))} MB before`,
  )
for (let round = 0; round < rounds; round++) {
  const start = performance.now()
  const outcomes = await run({ url, connections, requests, tokens, stream: true, rude: true })
  const seconds = (performance.now() - start) / 1000
  const count = (kind: Outcome["kind"]) => outcomes.filter((outcome) => outcome.kind === kind).length
  const first = outcomes.flatMap(({ firstToken }) => firstToken ?? [])
  const made = outcomes.reduce((sum, outcome) => sum + outcome.tokens, 0)
  await new Promise((resolve) => setTimeout(resolve, 7000)) // a server at rest gives memory back after five seconds
  const left = await metric(/cria_batch_size\{[^}]*\} (\d+)/)
  const used = await metric(/cria_cache_pages\{[^}]*"used"\} (\d+)/)
  console.log(
    `  round ${round + 1}: ${count("done")} done, ${count("dropped")} dropped, ${count("refused")} refused, ` +
      `${count("error")} errors; first token p50 ${number(quantile(first, 0.5))} p99 ${number(quantile(first, 0.99))} ms; ` +
      `${number(made / seconds)} tokens/s; after it ${left} running, ${used} pages, resident ${number(residentMegabytes(pid))} MB`,
  )
  for (const { detail } of outcomes.filter(({ kind }) => kind === "error").slice(0, 3))
    console.log("   ", detail)
}
child.kill("SIGTERM")
