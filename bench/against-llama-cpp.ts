// Decode and prefill of Cria against node-llama-cpp on the same GGUF file, as child processes in alternation,
// medians of several rounds. Writes the table to bench/RESULTS.md.
//
//   npm --prefix bench/peers install
//   npx tsx bench/against-llama-cpp.ts /tmp/random-1b-int4.gguf --threads 2 --rounds 5
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { arch, cpus } from "node:os"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import { median, writeSection } from "./results.js"

interface Measured {
  /** Of Cria: what computed, such as "native: avx2, 2 threads". */
  backend?: string
  prefill: { tokens: number; tokensPerSecond: number }[]
  /** Of Cria also which share of the machine's read bandwidth that is. */
  decode: { depth: number; tokensPerSecond: number; bandwidthShare?: number }[]
  /** Several answers at once: tokens a second of all. */
  streams?: { streams: number; tokensPerSecond: number }
  loadMilliseconds: number
  residentBytes: number
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    prefill: { type: "string", default: "64,512" },
    decode: { type: "string", default: "48" },
    streams: { type: "string", default: "0" },
    /** What computes in Cria: auto, native or wasm. */
    backend: { type: "string", default: "auto" },
    /** Node binary that runs Cria; the peer runs on this one. */
    node: { type: "string", default: process.execPath },
  },
})
const model = positionals[0]
if (!model || !existsSync(model)) {
  console.error("usage: npx tsx bench/against-llama-cpp.ts model.gguf (scripts/random-model.ts makes one)")
  process.exit(2)
}
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
if (!existsSync(here("peers/node_modules/node-llama-cpp"))) {
  console.error("node-llama-cpp is not installed: npm --prefix bench/peers install")
  process.exit(2)
}

const shared = ["--threads", values.threads, "--prefill", values.prefill, "--decode", values.decode]
if (Number(values.streams) > 0) shared.push("--streams", values.streams)
const contenders = [
  {
    name: "cria",
    command: values.node,
    args: [
      here("../dist/node/cli.js"),
      "bench",
      "--model",
      model,
      "--backend",
      values.backend,
      "--json",
      ...shared,
    ],
  },
  {
    name: "node-llama-cpp",
    command: process.execPath,
    args: [here("peers/node-llama-cpp.mjs"), model, ...shared],
  },
]

const runs: Record<string, Measured[]> = { cria: [], "node-llama-cpp": [] }
for (let round = 0; round < Number(values.rounds); round++) {
  for (const { name, command, args } of round % 2 === 0 ? contenders : contenders.toReversed()) {
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26 })
    runs[name].push(JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured)
    console.error(`round ${round + 1}, ${name}: ${stdout.trim().split("\n").at(-1)}`)
  }
}

const row = (label: string, pick: (run: Measured) => number, digits = 1) => {
  const [ours, peer] = ["cria", "node-llama-cpp"].map((name) => median(runs[name].map(pick)))
  return `| ${label} | ${ours.toFixed(digits)} | ${peer.toFixed(digits)} | ${(ours / peer).toFixed(2)} |`
}
/** Both read the same bytes a token, so that their shares of the bandwidth are as their speeds. */
const shareRow = (i: number): string => {
  const ours = median(runs.cria.map(({ decode }) => decode[i].bandwidthShare!))
  const [speed, peer] = ["cria", "node-llama-cpp"].map((name) =>
    median(runs[name].map(({ decode }) => decode[i].tokensPerSecond)),
  )
  return `| share of the read bandwidth, % | ${(100 * ours).toFixed(0)} | ${((100 * ours * peer) / speed).toFixed(0)} | |`
}
const nodeVersion = (await promisify(execFile)(values.node, ["--version"])).stdout.trim()
const peerVersion = JSON.parse(
  await readFile(here("peers/node_modules/node-llama-cpp/package.json"), "utf8"),
) as { version: string }
const backend = runs.cria[0].backend?.split(":")[0]
const table = [
  `## ${basename(model)}, ${values.threads} threads, ${backend}, Node ${nodeVersion}`,
  "",
  `Medians of ${values.rounds} alternating runs, ${new Date().toISOString().slice(0, 10)}, ${cpus()[0].model.trim()} (${arch()}), node-llama-cpp ${peerVersion.version}.`,
  "",
  `| | cria (${backend}) | node-llama-cpp | ratio |`,
  "| --- | --- | --- | --- |",
  ...runs.cria[0].prefill.map(({ tokens }, i) =>
    row(`prefill of ${tokens}, tok/s`, (run) => run.prefill[i].tokensPerSecond),
  ),
  ...runs.cria[0].decode.flatMap(({ depth }, i) => [
    row(`decode at ${depth}, tok/s`, (run) => run.decode[i].tokensPerSecond),
    shareRow(i),
  ]),
  ...(runs.cria[0].streams
    ? [row(`${values.streams} streams together, tok/s`, (run) => run.streams!.tokensPerSecond)]
    : []),
  row("load, s", (run) => run.loadMilliseconds / 1000),
  row("resident, MiB", (run) => run.residentBytes / 2 ** 20, 0),
  "",
].join("\n")
await writeSection(table)
