// Measures a model on held-out prompts and held-out text; these are the figures of the default model's card.
//
//   npx tsx scripts/default-model/score.ts MODEL --held-out held-out.jsonl [--text FOLDER] [--json]
//
// Prompts come with checks (recipes/default/text/generate.ts writes them); answers are sampled greedily. FOLDER holds
// `<language>.txt`, whose bits per byte are measured. Needs a build (npm run build).
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Llama } from "cria"
import type { Message, Tool } from "cria/chat"
import { type Check, passes } from "../../recipes/default/text/check.js"

interface Prompt {
  readonly kind: string
  readonly language: string
  readonly messages: readonly Message[]
  readonly tools?: readonly Tool[]
  readonly checks: readonly Check[]
}
interface Score {
  right: number
  total: number
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "held-out": { type: "string" },
    text: { type: "string" },
    kinds: { type: "string" },
    languages: { type: "string" },
    limit: { type: "string", default: "15" },
    parallel: { type: "string", default: "16" },
    threads: { type: "string" },
    backend: { type: "string" },
    wrong: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
})
const [path] = positionals
if (path === undefined || (values["held-out"] === undefined && values.text === undefined)) {
  console.error(`usage: npx tsx scripts/default-model/score.ts MODEL --held-out FILE.jsonl [--text FOLDER]
  --kinds facts,json     only these kinds         --languages en,de   only these languages
  --limit 15             prompts of each kind and language
  --parallel 16          prompts at once          --threads 2   --backend native|wasm
  --wrong 2              show so many wrong answers of each kind and language
  --json                 figures for a machine`)
  process.exit(2)
}
const listed = (value: string | undefined) => value?.split(",")
const note = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

await using llama = await Llama.load(path, {
  threads: values.threads === undefined ? undefined : Number(values.threads),
  backend: values.backend as "auto" | undefined,
})

/** The first prompts of each kind and language. */
async function promptsOf(file: string): Promise<Prompt[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "")
  const taken = new Map<string, number>()
  return lines
    .map((line) => JSON.parse(line) as Prompt)
    .filter(({ kind, language }) => {
      if (listed(values.kinds)?.includes(kind) === false) return false
      if (listed(values.languages)?.includes(language) === false) return false
      const key = `${kind} ${language}`
      taken.set(key, (taken.get(key) ?? 0) + 1)
      return taken.get(key)! <= Number(values.limit)
    })
}

async function scorePrompts(file: string): Promise<Map<string, Map<string, Score>>> {
  const prompts = await promptsOf(file)
  const table = new Map<string, Map<string, Score>>()
  const shown = new Map<string, number>()
  let next = 0
  let done = 0
  const started = performance.now()
  const worker = async () => {
    for (let i = next++; i < prompts.length; i = next++) {
      const { kind, language, messages, tools, checks } = prompts[i]
      const maxTokens = kind === "story" ? 200 : 120
      const room = llama.config.contextLength
      const [answer] = await llama
        .chat(messages, { tools, temperature: 0, maxTokens: Math.min(maxTokens, room - 1) })
        .result()
        .catch((error: unknown) => [{ text: `(${(error as Error).message})`, toolCalls: undefined }])
      const right = passes(checks, answer)
      const row = table.get(kind) ?? new Map<string, Score>()
      const score = row.get(language) ?? { right: 0, total: 0 }
      row.set(language, { right: score.right + Number(right), total: score.total + 1 })
      table.set(kind, row)
      const key = `${kind} ${language}`
      if (!right && (shown.get(key) ?? 0) < Number(values.wrong)) {
        shown.set(key, (shown.get(key) ?? 0) + 1)
        console.error(
          `${key}: ${JSON.stringify(messages.at(-1))}\n  -> ${JSON.stringify(answer.toolCalls ?? answer.text)}`,
        )
      }
      done++
      const rate = done / ((performance.now() - started) / 1000)
      note(
        `${done}/${prompts.length} prompts, ${rate.toFixed(1)}/s, ${Math.ceil((prompts.length - done) / rate)} s left`,
      )
    }
  }
  await Promise.all(Array.from({ length: Number(values.parallel) }, worker))
  note("")
  return table
}

/** Bits per byte of a text: -sum log2 p(token | those before it in a window of the context) / bytes. */
async function bitsPerByte(text: string): Promise<number> {
  const { tokenizer, config } = llama
  const bos = config.bos ?? tokenizer.bos
  const window = Math.min(llama.info.contextLength, 512) - 1
  let bits = 0
  for (const document of text.split("\n<|doc|>\n")) {
    const ids = tokenizer.encode(document, { bos: false, special: false })
    for (let at = 0; at < ids.length; at += window) {
      const piece = [...(bos === undefined ? [] : [bos]), ...ids.slice(at, at + window)]
      const logits = await llama.logits(piece)
      const size = config.vocabularySize
      for (let i = 0; i + 1 < piece.length; i++)
        bits += surprise(logits.subarray(i * size, (i + 1) * size), piece[i + 1])
    }
  }
  return bits / Buffer.byteLength(text.replaceAll("\n<|doc|>\n", ""))
}

/** -log2 of the probability that the logits give to a token. */
function surprise(logits: Float32Array, token: number): number {
  let highest = -Infinity
  for (const logit of logits) highest = Math.max(highest, logit)
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  return (Math.log(sum) + highest - logits[token]) / Math.LN2
}

async function scoreTexts(folder: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const name of (await readdir(folder)).filter((name) => name.endsWith(".txt")).toSorted()) {
    const language = name.slice(0, -".txt".length)
    if (listed(values.languages)?.includes(language) === false) continue
    note(`bits per byte: ${language}`)
    found.set(language, await bitsPerByte((await readFile(join(folder, name), "utf8")).trimEnd()))
  }
  note("")
  return found
}

const table = values["held-out"] === undefined ? undefined : await scorePrompts(values["held-out"])
const bits = values.text === undefined ? undefined : await scoreTexts(values.text)
const order = ["en", "de", "fr", "it", "pt", "es", "hi", "th", "ja"]
const languages = order.filter(
  (code) => bits?.has(code) === true || [...(table?.values() ?? [])].some((row) => row.has(code)),
)
const sumOf = (scores: readonly Score[]): Score =>
  scores.reduce((a, b) => ({ right: a.right + b.right, total: a.total + b.total }), { right: 0, total: 0 })
const partOf = ({ right, total }: Score) => (total === 0 ? undefined : right / total)

if (values.json) {
  const tasks = Object.fromEntries(
    [...(table ?? [])].map(([kind, row]) => [
      kind,
      {
        all: partOf(sumOf([...row.values()])),
        ...Object.fromEntries([...row].map(([code, score]) => [code, partOf(score)])),
      },
    ]),
  )
  const all = sumOf([...(table?.values() ?? [])].flatMap((row) => [...row.values()]))
  console.log(
    JSON.stringify({
      model: path,
      ...(table && { prompts: all.total, accuracy: partOf(all), tasks }),
      ...(bits && { bitsPerByte: Object.fromEntries(bits) }),
    }),
  )
} else {
  const cell = (text: string) => text.padStart(7)
  const percent = (score: Score) => {
    const part = partOf(score)
    return cell(part === undefined ? "" : `${Math.round(part * 100)}%`)
  }
  const line = (name: string, cells: readonly string[]) => console.log(name.padEnd(14) + cells.join(""))
  line("", [...languages, ...(table ? ["all"] : [])].map(cell))
  for (const [kind, row] of table ?? [])
    line(kind, [
      ...languages.map((code) => percent(row.get(code) ?? { right: 0, total: 0 })),
      percent(sumOf([...row.values()])),
    ])
  if (table) {
    const rows = [...table.values()]
    const of = (code: string) => sumOf(rows.flatMap((row) => row.get(code) ?? []))
    line("all", [...languages.map((code) => percent(of(code))), percent(sumOf(languages.map(of)))])
  }
  if (bits)
    line(
      "bits per byte",
      languages.map((code) => cell(bits.get(code)?.toFixed(3) ?? "")),
    )
}
