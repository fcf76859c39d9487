// cria bench: how fast a model reads and writes on this machine. Random ids as prompts, so that nothing is found
// in the prefix cache; the numbers do not depend on what the ids say.
import type { Command } from "commander"
import { Option } from "commander"
import type { BackendName } from "../backends/index.js"
import type { Llama } from "../engine/llama.js"
import type { Context } from "./context.js"
import { bytes, count, duration, rate, table } from "./format.js"
import { loadLlama } from "./load.js"
import { addModelFlags, type ModelFlags, numberIn, numbersIn } from "./options.js"
import { startProgress } from "./progress.js"
import { followPrompt } from "./prompt-progress.js"
import { readBandwidth } from "./read-bandwidth.js"

interface Flags extends ModelFlags {
  readonly prefill: number[]
  readonly decode: number
  readonly depth: number[]
  readonly streams?: number
  readonly json?: boolean
}

interface PrefillResult {
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly firstTokenMilliseconds: number
}

interface Decoded {
  readonly depth: number
  readonly tokens: number
  readonly tokensPerSecond: number
}

interface DecodeResult extends Decoded {
  /** Bytes of weights and cache read a second, as a share of the machine's read bandwidth. */
  readonly bandwidthShare: number
}

export interface BenchResult {
  readonly model: string
  readonly backend: string
  readonly threads: number
  readonly weights: Readonly<Record<string, number>>
  readonly prefill: readonly PrefillResult[]
  readonly decode: readonly DecodeResult[]
  readonly streams?: { readonly streams: number; readonly tokensPerSecond: number }
  readonly loadMilliseconds: number
  readonly residentBytes: number
  readonly peakResidentBytes: number
  /** Bytes a second that these threads read from memory. */
  readonly readBandwidth: number
}

export function addBench(program: Command, context: Context): void {
  const command = program
    .command("bench")
    .summary("how fast a model is on this machine")
    .description(
      "Measures reading (prefill) and writing (decode) in tokens a second, the time to load and to the first token, memory, and which share of the machine's read bandwidth writing reaches.",
    )
  addModelFlags(command)
  command
    .addOption(
      new Option("--prefill <tokens>", "lengths of prompts to read, separated by commas; 0 for none")
        .argParser(numbersIn({ min: 0, max: 1 << 20 }))
        .default([64, 512], "64,512"),
    )
    .addOption(
      new Option("--decode <tokens>", "tokens to write at each depth; 0 for none")
        .argParser(numberIn({ min: 0, max: 1 << 16, whole: true }))
        .default(48),
    )
    .addOption(
      new Option("--depth <tokens>", "tokens already in the context when writing starts, separated by commas")
        .argParser(numbersIn({ min: 0, max: 1 << 20 }))
        .default([0], "0"),
    )
    .addOption(
      new Option("--streams <number>", "also write this many answers side by side").argParser(
        numberIn({ min: 1, max: 1024, whole: true }),
      ),
    )
    .option("--json", "print one JSON object on the last line")
    .addHelpText(
      "after",
      `
Examples:
  $ cria bench --model ./llama-1b-int4.gguf
  $ cria bench --model ./llama-1b-int4.gguf --prefill 512 --decode 64 --depth 0,8192
  $ cria bench --model ./llama-1b-int4.gguf --streams 8 --json`,
    )
    .action((flags: Flags) => bench(context, flags))
}

async function bench(context: Context, flags: Flags): Promise<void> {
  const { out, err, lifetime } = context
  const start = performance.now()
  const llama = await loadLlama(context, flags)
  const loadMilliseconds = Math.round(performance.now() - start)
  const prefillLengths = flags.prefill.filter((length) => length > 0)
  const depths = flags.decode > 0 ? flags.depth : []
  const streamTokens = Math.max(1, flags.decode)
  const total =
    sum(prefillLengths.map((length) => length + 1)) +
    sum(depths.map((depth) => Math.max(1, depth) + flags.decode + 1)) +
    (flags.streams ?? 0) * (streamPrompt + streamTokens + 1)
  const bar = startProgress(err, { unit: "tokens" })
  const undo = lifetime.defer(() => bar.end())
  let label = "warming up"
  let done = 0
  const bencher = new Bencher(llama, lifetime.signal, (tokens) => bar.update(label, (done += tokens), total))
  const step = <T>(name: string, run: () => Promise<T>): Promise<T> => {
    label = name
    bar.update(label, done, total)
    return run()
  }
  const prefill: PrefillResult[] = []
  const decode: Decoded[] = []
  let streams: BenchResult["streams"]
  try {
    await bencher.warmUp()
    done = 0
    for (const length of prefillLengths) {
      prefill.push(await step(`reading ${length} tokens`, () => bencher.prefill(length)))
    }
    for (const depth of depths) {
      decode.push(await step(`writing after ${depth} tokens`, () => bencher.decode(depth, flags.decode)))
    }
    if (flags.streams) {
      const number = flags.streams
      streams = await step(`writing ${number} answers`, () => bencher.streams(number, streamTokens))
    }
  } finally {
    bar.end()
    undo()
  }
  const { info } = llama
  // Before the bandwidth is measured, which takes memory of its own. Linux and macOS through libuv: kilobytes.
  const memory = {
    residentBytes: process.memoryUsage().rss,
    peakResidentBytes: process.resourceUsage().maxRSS * 1024,
  }
  const bandwidth = await readBandwidth(info.backendName as BackendName, info.threads)
  const cacheBytes = info.cacheBytes / info.cacheTokens
  const shareOf = ({ depth, tokens, tokensPerSecond }: Decoded): number =>
    rounded((tokensPerSecond * (info.tokenBytes + (depth + tokens / 2) * cacheBytes)) / bandwidth)
  const result: BenchResult = {
    model: info.path,
    backend: info.backend,
    threads: info.threads,
    weights: info.weights,
    prefill,
    decode: decode.map((one) => ({ ...one, bandwidthShare: shareOf(one) })),
    streams,
    loadMilliseconds,
    ...memory,
    readBandwidth: Math.round(bandwidth),
  }
  if (flags.json) out.write(`${JSON.stringify(result)}\n`)
  else out.write(`${report(context, result)}\n`)
}

/** Tokens of the prompt of each answer side by side. */
const streamPrompt = 8

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

class Bencher {
  readonly #llama: Llama
  readonly #signal: AbortSignal
  readonly #onTokens: (tokens: number) => void
  #state = 0x9e3779b9

  /** `onTokens` hears of the tokens of a prompt as they are read, and of each that is written. */
  constructor(llama: Llama, signal: AbortSignal, onTokens: (tokens: number) => void) {
    this.#llama = llama
    this.#signal = signal
    this.#onTokens = onTokens
  }

  /** Ids from the middle of the vocabulary, where there is ordinary text; never the same run of them twice. */
  #ids(length: number): number[] {
    const { vocabularySize } = this.#llama.config
    const least = Math.min(300, vocabularySize >> 1)
    const most = Math.max(least + 1, Math.floor(vocabularySize * 0.9))
    return Array.from({ length }, () => {
      // xorshift32 (Marsaglia 2003)
      this.#state ^= this.#state << 13
      this.#state ^= this.#state >>> 17
      this.#state ^= this.#state << 5
      return least + ((this.#state >>> 0) % (most - least))
    })
  }

  /** Runs an answer, `alone` or beside others; the times of its tokens in ms. */
  async #run(
    prompt: readonly number[],
    maxTokens: number,
    alone = true,
  ): Promise<{ start: number; times: number[] }> {
    const start = performance.now()
    const times: number[] = []
    // Random weights soon repeat themselves: with guesses their speed would say nothing about a real model's.
    const options = { maxTokens, temperature: 0, ignoreEos: true, promptLookup: false, signal: this.#signal }
    let told = 0
    const tell = (tokens: number) => {
      this.#onTokens(tokens - told)
      told = tokens
    }
    // Beside others the engine does not say whose tokens it has read.
    const following = alone
      ? followPrompt(this.#llama, (read) => tell(Math.min(read, prompt.length)))
      : undefined
    try {
      for await (const piece of this.#llama.generate(prompt, options)) {
        if (piece.token === undefined) continue
        times.push(performance.now())
        following?.end()
        tell(prompt.length + times.length)
      }
    } finally {
      following?.end()
    }
    return { start, times }
  }

  async warmUp(): Promise<void> {
    await this.#run(this.#ids(16), 4)
  }

  async prefill(length: number): Promise<PrefillResult> {
    const { start, times } = await this.#run(this.#ids(length), 1)
    const milliseconds = times[0] - start
    return {
      tokens: length,
      tokensPerSecond: rounded((1000 * length) / milliseconds),
      firstTokenMilliseconds: rounded(milliseconds),
    }
  }

  /** The first token belongs to reading the prompt: it is not counted. */
  async decode(depth: number, tokens: number): Promise<Decoded> {
    const { times } = await this.#run(this.#ids(Math.max(1, depth)), tokens + 1)
    const steps = times.length - 1
    return {
      depth,
      tokens: steps,
      tokensPerSecond: steps > 0 ? rounded((1000 * steps) / (times[steps] - times[0])) : 0,
    }
  }

  /** Tokens a second of all answers together, from when the last has begun until the first has ended. */
  async streams(streams: number, tokens: number): Promise<NonNullable<BenchResult["streams"]>> {
    const runs = await Promise.all(
      Array.from({ length: streams }, () => this.#run(this.#ids(streamPrompt), tokens + 1, false)),
    )
    const from = Math.max(...runs.map(({ times }) => times[0]))
    const to = Math.min(...runs.map(({ times }) => times.at(-1)!))
    const within = runs.flatMap(({ times }) => times).filter((time) => time > from && time <= to).length
    return { streams, tokensPerSecond: to > from ? rounded((1000 * within) / (to - from)) : 0 }
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100

function report({ out }: Context, result: BenchResult): string {
  const speed = (value: number) => `${rate(value)} tokens/s`
  const rows = [
    ...result.prefill.map(({ tokens, tokensPerSecond, firstTokenMilliseconds }) => [
      `read ${count(tokens)} tokens`,
      speed(tokensPerSecond),
      `first token after ${duration(firstTokenMilliseconds / 1000)}`,
    ]),
    ...result.decode.map(({ depth, tokens, tokensPerSecond, bandwidthShare }) => [
      `write after ${count(depth)} tokens`,
      speed(tokensPerSecond),
      `${count(tokens)} tokens, ${Math.round(100 * bandwidthShare)} % of the read bandwidth`,
    ]),
    ...(result.streams
      ? [[`write ${result.streams.streams} side by side`, speed(result.streams.tokensPerSecond), "in all"]]
      : []),
    ["load", duration(result.loadMilliseconds / 1000), ""],
    ["memory", bytes(result.residentBytes), `at most ${bytes(result.peakResidentBytes)}`],
    ["read bandwidth", `${bytes(result.readBandwidth)}/s`, `${count(result.threads)} threads`],
  ]
  const weights = Object.entries(result.weights).map(([kind, size]) => `${kind} ${bytes(size)}`)
  return [
    out.paint("bold", result.model),
    out.paint("dim", `${weights.join(", ")}; ${result.backend}`),
    "",
    ...table(rows, [1]),
  ].join("\n")
}
