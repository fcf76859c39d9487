// Speed of the tokenizer beside the `tiktoken` package with the same vocabulary, per language, in one run.
// Every run takes a slice of text that neither has seen before, so no memory of earlier text can decide it.
// npx tsx bench/tokenizer.ts        needs ../shared (vocabulary, corpus) and `npm install` in bench/peers
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { gunzipSync } from "node:zlib"
import { Tokenizer, llama3Pattern } from "../src/tokenizer/index.js"

const runs = 11
const sliceCharacters = 100_000
const shared = new URL("../../shared/", import.meta.url)
const modelFile = new URL("reference/llama3-tokenizer/tokenizer.model", shared)
const corpus = new URL("corpus/", shared)

interface Peer {
  encode_ordinary(text: string): Uint32Array
}

function loadPeer(model: string): Peer | undefined {
  try {
    const { Tiktoken } = createRequire(new URL("peers/package.json", import.meta.url))("tiktoken") as {
      Tiktoken: new (ranks: string, specials: Record<string, number>, pattern: string) => Peer
    }
    const tokens = model.trimEnd().split("\n")
    return new Tiktoken(`! 0 ${tokens.map((line) => line.split(" ")[0]).join(" ")}`, {}, llama3Pattern)
  } catch (error) {
    console.log(
      `tiktoken is not measured: run \`npm install\` in bench/peers (${(error as Error).message.split("\n")[0]})`,
    )
    return undefined
  }
}

/** One slice to warm up with and `runs` to measure, of equal length, taken in turn from all files of a language. */
function slicesOf(language: string): string[] {
  const files = readdirSync(corpus).filter((name) => name.startsWith(`${language}.`) && name.endsWith(".gz"))
  const each = Math.ceil(sliceCharacters / files.length)
  const texts = files.map((name) => gunzipSync(readFileSync(new URL(name, corpus))).toString("utf8"))
  return Array.from({ length: runs + 1 }, (_, run) =>
    texts.map((text) => text.slice(run * each, (run + 1) * each)).join("\n"),
  )
}

/**
 * Megabytes of UTF-8 of each encoder in a second of processor time (helper threads of the engine included): the
 * median over the slices. They take turns slice by slice, so that whatever else the machine does meets both.
 */
function measure(slices: readonly string[], encoders: readonly ((text: string) => unknown)[]): number[] {
  const speeds: number[][] = encoders.map(() => [])
  for (const text of slices) {
    const bytes = Buffer.byteLength(text)
    for (const [index, encode] of encoders.entries()) {
      const start = process.cpuUsage()
      encode(text)
      const { user, system } = process.cpuUsage(start)
      speeds[index].push(bytes / (user + system))
    }
  }
  return speeds.map((all) => all.toSorted((a, b) => a - b)[runs >> 1])
}

if (!existsSync(modelFile) || !existsSync(corpus)) {
  console.log("nothing to measure: ../shared/reference and ../shared/corpus are not here")
} else {
  const file = readFileSync(modelFile)
  const start = performance.now()
  const tokenizer = Tokenizer.fromTiktoken(file)
  console.log(`loading tokenizer.model: ${(performance.now() - start).toFixed(0)} ms`)
  const peer = loadPeer(file.toString("latin1"))
  const row = (...cells: string[]) => console.log(cells.map((cell) => cell.padStart(10)).join(""))

  row("text", "bytes/tok", "cria MB/s", "tiktoken", "ratio")
  const languages = [...new Set(readdirSync(corpus).map((name) => name.split(".")[0]))].filter(
    (name) => name.length === 2,
  )
  // Not measured: the compiler of the engine, which is the same whatever the text.
  for (const language of languages) tokenizer.encode(slicesOf(language)[0])
  for (const language of languages) {
    const slices = slicesOf(language).slice(1)
    const encoders = [(text: string): unknown => tokenizer.encode(text)]
    if (peer) encoders.push((text) => peer.encode_ordinary(text))
    const [own, theirs] = measure(slices, encoders)
    const ids = tokenizer.encode(slices[0])
    if (peer && ids.join() !== peer.encode_ordinary(slices[0]).join())
      console.log(`${language}: the ids differ!`)
    row(
      language,
      (Buffer.byteLength(slices[0]) / ids.length).toFixed(2),
      own.toFixed(1),
      peer ? theirs.toFixed(1) : "-",
      peer ? (own / theirs).toFixed(1) : "-",
    )
  }

  row("1 MB of", "", "ms")
  const hostile = {
    "one letter": "a",
    spaces: " ",
    marks: "\u0301",
    emoji: "🦙",
    "a b": "a b ",
    digits: "7",
    newlines: "\n",
  }
  for (const [name, unit] of Object.entries(hostile)) {
    const text = unit.repeat(1_000_000 / Buffer.byteLength(unit))
    const start = performance.now()
    tokenizer.encode(text)
    row(name, "", (performance.now() - start).toFixed(0))
  }
}
