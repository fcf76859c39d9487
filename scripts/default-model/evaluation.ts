// The tables of the default model's card: tasks and held-out text after every stage, and the last stage by language.
// Writes JSON for `cria card` to standard output. Needs a build (npm run build).
//
//   npx tsx scripts/default-model/evaluation.ts --held-out DATA/held-out.jsonl --text DATA/corpus-held-out \
//     pretrain=RUNS/pretrain/model sft=RUNS/sft/model ... > models/default/evaluation.json
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"

interface Scores {
  readonly accuracy: number
  readonly prompts: number
  /** Part of right answers of each kind, by language and in all. */
  readonly tasks: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly bitsPerByte: Readonly<Record<string, number>>
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "held-out": { type: "string" },
    text: { type: "string" },
    limit: { type: "string", default: "4" },
    threads: { type: "string", default: "2" },
  },
})
const { "held-out": heldOut, text, limit, threads } = values
if (heldOut === undefined || text === undefined || positionals.length === 0) {
  console.error(
    "usage: npx tsx scripts/default-model/evaluation.ts --held-out FILE --text FOLDER STAGE=MODEL ...",
  )
  process.exit(2)
}
const run = promisify(execFile)
const score = fileURLToPath(new URL("./score.ts", import.meta.url))

const stages: { readonly name: string; readonly scores: Scores }[] = []
for (const stage of positionals) {
  const [name, model] = stage.split("=")
  console.error(`${name}: ${model}`)
  const options = ["--held-out", heldOut, "--text", text, "--limit", limit, "--threads", threads, "--json"]
  const { stdout } = await run(process.execPath, [...process.execArgv, score, model, ...options], {
    maxBuffer: 2 ** 26,
  })
  stages.push({ name, scores: JSON.parse(stdout) as Scores })
}

const percent = (part: number | undefined) => (part === undefined ? "" : `${Math.round(part * 100)}%`)
const last = stages.at(-1)!
const languages = Object.keys(last.scores.bitsPerByte)
const kinds = Object.keys(last.scores.tasks)
const names = stages.map(({ name }) => name)
const note =
  `Greedy answers to ${last.scores.prompts} prompts that the training never saw, ${limit} of each kind and language, ` +
  "checked by program (scripts/default-model/score.ts)"

const tables = [
  {
    title: "Tasks on held-out prompts, answered rightly, after each stage",
    note: `${note}.`,
    columns: ["kind", ...names],
    rows: [
      ...kinds.map((kind) => [kind, ...stages.map(({ scores }) => percent(scores.tasks[kind]?.all))]),
      ["all", ...stages.map(({ scores }) => percent(scores.accuracy))],
    ],
  },
  {
    title: "Bits per byte of held-out text, after each stage",
    note: "Documents of the open text that are in no training file, in windows of 512 tokens.",
    columns: ["language", ...names],
    rows: languages.map((code) => [
      code,
      ...stages.map(({ scores }) => scores.bitsPerByte[code]?.toFixed(3) ?? ""),
    ]),
  },
  {
    title: `Tasks by language, after the last stage (${last.name})`,
    note: "The same prompts.",
    columns: ["kind", ...languages, "all"],
    rows: kinds.map((kind) => [
      kind,
      ...languages.map((code) => percent(last.scores.tasks[kind][code])),
      percent(last.scores.tasks[kind].all),
    ]),
  },
]
console.log(JSON.stringify({ version: 1, tables }, undefined, 2))
