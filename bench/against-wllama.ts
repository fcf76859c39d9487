// Decode and prefill of Cria against wllama, two of its versions, in headless Chromium on the same GGUF file: each run in
// a browser of its own, in alternation, medians of several rounds. Writes the table to bench/RESULTS.md.
//
//   npm --prefix bench/peers install
//   npx tsx bench/against-wllama.ts /tmp/random-1b-int4.gguf --threads 2 --rounds 3
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { cpus } from "node:os"
import { bundlers, makeApp } from "../test/browser/bundlers.js"
import { launchBrowser, noBrowser } from "../test/browser/chromium.js"
import { serveFolders } from "../test/browser/web-server.js"
import { median, writeSection } from "./results.js"

interface Measured {
  loadMilliseconds: number
  /** Milliseconds of an answer of one token to a prompt, and how many tokens that was. */
  prefill: { milliseconds: number; tokens: number }
  /** Milliseconds of `decode` further tokens. */
  decodeMilliseconds: number
  peakBytes: number
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    prefill: { type: "string", default: "64" },
    decode: { type: "string", default: "24" },
    only: { type: "string", multiple: true },
  },
})
const model = positionals[0]
if (!model || !existsSync(model) || noBrowser) {
  console.error(
    noBrowser ?? "usage: npx tsx bench/against-wllama.ts model.gguf (scripts/random-model.ts makes one)",
  )
  process.exit(2)
}
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const peers = [
  { name: "wllama 3", folder: here("peers/node_modules/wllama-3/esm") },
  { name: "wllama 2", folder: here("peers/node_modules/wllama-2/esm") },
]
for (const { name, folder } of peers) {
  if (existsSync(folder)) continue
  console.error(`${name} is not installed: npm --prefix bench/peers install`)
  process.exit(2)
}

/** The token " the" of Llama 3. wllama 3 fails on answers that are no UTF-8, which random weights write: it is made to write this. */
const ordinary = 279

// What a page does; Cria's is bundled as an app would be. Each has `load(url, threads)` and `complete(prompt, tokens)`, which gives the prompt's tokens.
const pages: Record<string, string> = {
  cria: `
    import { Llama } from "cria"
    let llama
    window.load = async (url, threads) => { llama = await Llama.load(url, { threads, contextLength: 1024 }) }
    window.complete = async (prompt, maxTokens) =>
      (await llama.generate(prompt, { maxTokens, temperature: 0, ignoreEos: true, promptLookup: false }).result())[0].usage.promptTokens`,
  "wllama 3": `
    import { Wllama } from "/wllama-3/index.js"
    const wllama = new Wllama({ default: "/wllama-3/wasm/wllama.wasm" }, { suppressNativeLog: true })
    window.load = (url, n_threads) =>
      wllama.loadModelFromUrl(url, { useCache: false, n_threads, n_ctx: 1024, n_gpu_layers: 0 })
    window.complete = async (prompt, max_tokens) =>
      (await wllama.createCompletion({ prompt, max_tokens, temperature: 0, logit_bias: [[${ordinary}, 1000]] })).usage.prompt_tokens`,
  "wllama 2": `
    import { Wllama } from "/wllama-2/index.js"
    const wllama = new Wllama(
      { "single-thread/wllama.wasm": "/wllama-2/single-thread/wllama.wasm",
        "multi-thread/wllama.wasm": "/wllama-2/multi-thread/wllama.wasm" },
      { suppressNativeLog: true })
    window.load = (url, n_threads) => wllama.loadModelFromUrl(url, { useCache: false, n_threads, n_ctx: 1024 })
    window.complete = async (prompt, nPredict) => {
      await wllama.createCompletion(prompt, { nPredict, sampling: { temp: 0 }, useCache: false })
      return (await wllama.tokenize(prompt)).length + 1
    }`,
}

/** A prompt of about so many tokens that begins like no other. */
function promptOf(tokens: number, seed: number): string {
  const words = ["river", "stone", "light", "garden", "window", "paper", "winter", "music"]
  return Array.from({ length: tokens - 1 }, (_, i) => words[(i * i + seed * 3 + (i >> 3)) % 8]).join(" ")
}

/** Memory of all processes below `root`, without its own: shared pages count in parts. Takes a tenth of a second. */
function proportionalBytes(root: number): number {
  const parents = new Map<number, number>()
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8")
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 4).split(" ")[0]))
    } catch {} // it has ended
  }
  const below = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || below(parents.get(pid)))
  let bytes = 0
  for (const [pid, parent] of parents) {
    if (!below(parent)) continue
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
      bytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) * 1024
    } catch {} // it has ended
  }
  return bytes
}

const app = await makeApp({ "main.js": pages.cria })
const server = await serveFolders(
  {
    model: dirname(model),
    cria: await bundlers.vite(app),
    "wllama-3": peers[0].folder,
    "wllama-2": peers[1].folder,
    empty: here("peers/empty.html"),
  },
  { isolated: true },
)

async function measure(name: string, round: number): Promise<Measured> {
  const otherBytes = proportionalBytes(process.pid)
  const browser = await launchBrowser()
  let peakBytes = 0
  const weigh = () => {
    peakBytes = Math.max(peakBytes, proportionalBytes(process.pid) - otherBytes)
  }
  let timer: ReturnType<typeof setInterval> | undefined
  try {
    const page = await browser.newPage()
    page.on("pageerror", (error) => console.error(`${name}: ${error.message}`))
    page.setDefaultTimeout(0)
    if (name === "cria") await page.goto(`${server.origin}/cria/`)
    else {
      await page.goto(`${server.origin}/empty/`)
      await page.addScriptTag({ type: "module", content: pages[name] })
    }
    await page.waitForFunction("window.complete !== undefined")
    const timed = async (expression: string) => {
      const [milliseconds, value] = await page.evaluate<[number, number]>(
        `(async () => { const start = performance.now(); const value = await ${expression}; return [performance.now() - start, value ?? 0] })()`,
      )
      return { milliseconds, value }
    }
    // Looking at all pages of a browser would slow its answers down: it is done between them.
    const complete = async (tokens: number, seed: number, answer: number) => {
      const taken = await timed(`complete(${JSON.stringify(promptOf(tokens, seed))}, ${answer})`)
      weigh()
      return taken
    }
    const url = `${server.origin}/model/${basename(model)}`
    timer = setInterval(weigh, 1000)
    const loaded = await timed(`load(${JSON.stringify(url)}, ${Number(values.threads)})`)
    clearInterval(timer)
    await complete(8, 7 * round + 1, 4)
    const read = await complete(Number(values.prefill), 7 * round + 2, 1)
    const short = await complete(8, 7 * round + 3, 1)
    const long = await complete(8, 7 * round + 4, 1 + Number(values.decode))
    return {
      loadMilliseconds: loaded.milliseconds,
      prefill: { milliseconds: read.milliseconds, tokens: read.value },
      decodeMilliseconds: long.milliseconds - short.milliseconds,
      peakBytes,
    }
  } finally {
    clearInterval(timer)
    await browser.close()
  }
}

const contenders = Object.keys(pages).filter((name) => values.only?.includes(name) ?? true)
const runs = new Map(contenders.map((name) => [name, [] as Measured[]]))
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of round % 2 === 0 ? contenders : contenders.toReversed()) {
    const measured = await measure(name, round)
    runs.get(name)!.push(measured)
    console.error(`round ${round + 1}, ${name}: ${JSON.stringify(measured)}`)
  }
}
await server.close()
await app.remove()
if (contenders.length < 3) process.exit()

const versionOf = async (folder: string) =>
  (JSON.parse(await readFile(`${dirname(folder)}/package.json`, "utf8")) as { version: string }).version
const versions = await Promise.all(peers.map(({ folder }) => versionOf(folder)))
const row = (label: string, pick: (run: Measured) => number, digits = 1) => {
  const numbers = contenders.map((name) => median(runs.get(name)!.map(pick)))
  const ratios = numbers.slice(1).map((peer) => (numbers[0] / peer).toFixed(2))
  return `| ${label} | ${numbers.map((n) => n.toFixed(digits)).join(" | ")} | ${ratios.join(" | ")} |`
}
const browser = await launchBrowser()
const chromium = browser.version()
await browser.close()
await writeSection(
  [
    `## ${basename(model)}, ${values.threads} threads, Chromium ${chromium.split(".")[0]}`,
    "",
    `Medians of ${values.rounds} alternating runs, ${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model.trim()}; each in a headless browser of its own.`,
    "",
    `| | cria (wasm) | wllama ${versions[0]} | wllama ${versions[1]} | to ${versions[0]} | to ${versions[1]} |`,
    "| --- | --- | --- | --- | --- | --- |",
    row(
      `prefill of ${values.prefill}, tok/s`,
      ({ prefill }) => (1000 * prefill.tokens) / prefill.milliseconds,
    ),
    row("decode, tok/s", (run) => (1000 * Number(values.decode)) / run.decodeMilliseconds),
    row("load, s", (run) => run.loadMilliseconds / 1000),
    row("memory of the browser at its peak, MiB", (run) => run.peakBytes / 2 ** 20, 0),
    "",
  ].join("\n"),
)
