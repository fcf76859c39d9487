// cria eval: measurements of models, side by side.
import { readFile } from "node:fs/promises"
import { basename, dirname } from "node:path"
import { type Command, Option } from "commander"
import type { DataFile } from "../data/index.js"
import { InvalidFileError } from "../errors/index.js"
import type { TextScore } from "../eval/index.js"
import type { Checkpoint } from "../formats/node.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { bytes, count, duration, oneLine, table } from "./format.js"
import { openSource } from "./model-source.js"
import { backendOption, fieldOption, numberIn, repeated, separatorOption } from "./options.js"
import { startProgress } from "./progress.js"

interface Flags {
  readonly model?: string[]
  readonly most: number
  readonly window?: number
  readonly backend: "auto" | "native" | "wasm" | "reference"
  readonly separator: string
  readonly field: string
  readonly write?: string
  readonly title: string
  readonly json?: boolean
}

export function addEval(program: Command, context: Context): void {
  const evaluate = program
    .command("eval")
    .description("Measures models on texts that they were not trained on.")
    .addHelpText("after", `\nExamples:\n  $ cria eval bits-per-byte "held-out/*.txt" --model ./my-model`)
  evaluate
    .command("bits-per-byte")
    .summary("how well models foresee texts")
    .description(
      "Bits that a model needs for each byte of a text: fewer are better, and models of different vocabularies can be compared. Files are grouped by their names up to the first dot, such as languages.",
    )
    .argument("<text...>", "files (.txt, .jsonl; .gz or not), folders, or names with *")
    .addOption(
      new Option("--model <[name=]path>", "a model, with the name of its column; may be repeated").argParser(
        repeated,
      ),
    )
    .addOption(
      new Option("--most <bytes>", "text of each group at most")
        .default(100_000)
        .argParser(numberIn({ min: 1, max: 1e12, whole: true })),
    )
    .addOption(
      new Option(
        "--window <tokens>",
        "longest text at once (default: the model's context, at most 1024)",
      ).argParser(numberIn({ min: 2, max: 131_072, whole: true })),
    )
    .addOption(backendOption())
    .addOption(separatorOption())
    .addOption(fieldOption())
    .option(
      "--write <file>",
      "put the table into a file for cria card, in the place of one with the same title",
    )
    .option("--title <text>", "title of the table", "Bits per byte on held-out text")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  $ cria eval bits-per-byte "held-out/*.txt" --model ./my-model
  $ cria eval bits-per-byte held-out --model pretrained=run/1/model --model tuned=run/2/model --write run/2/model/evaluation.json`,
    )
    .action((texts: string[], flags: Flags) => bitsPerByte(context, texts, flags))
}

/** A model to measure and what its column is called. */
function named(source: string): { name: string; source: string } {
  const [, name, path] = /^([^=/\\]+)=(.+)$/s.exec(source) ?? []
  if (path !== undefined) return { name, source: path }
  const own = basename(source)
  return { name: own === "model" ? basename(dirname(source)) || own : own, source }
}

type Scores = Map<string, TextScore>

async function bitsPerByte(context: Context, paths: readonly string[], flags: Flags): Promise<void> {
  const { out, err } = context
  if (flags.model === undefined) throw new UsageError("no model is named: give --model")
  const models = flags.model.map(named)
  const { dataFiles } = await import("../data/index.js")
  const texts = await textsOf(await dataFiles(paths), flags, context.lifetime.signal)
  const start = performance.now()
  // All are opened before the first is measured: a wrong name is told at once.
  const checkpoints: Checkpoint[] = []
  for (const { source } of models) checkpoints.push(await openSource(context, source))
  const scores: Scores[] = []
  for (const [i, { name }] of models.entries())
    scores.push(await scoreModel(context, name, checkpoints[i], texts, flags))

  const groups = [...texts.keys()]
  const rate = (score: TextScore | undefined) =>
    score && score.bytes > 0 ? score.bits / score.bytes : undefined
  if (flags.write !== undefined) await writeTable(flags.write, flags.title, groups, models, scores, flags)
  if (flags.json) {
    const results = models.map(({ name }, i) => ({
      model: name,
      groups: Object.fromEntries(
        groups.map((group) => [group, { ...scores[i].get(group), bitsPerByte: rate(scores[i].get(group)) }]),
      ),
    }))
    out.write(`${JSON.stringify(results)}\n`)
    return
  }
  const rows = groups.map((group) => [
    oneLine(group),
    bytes(scores[0].get(group)!.bytes),
    ...scores.map((of) => rate(of.get(group))?.toFixed(4) ?? ""),
  ])
  const right = [1, ...models.map((_, i) => i + 2)]
  out.write(
    `${table([["GROUP", "TEXT", ...models.map(({ name }) => oneLine(name))], ...rows], right).join("\n")}\n`,
  )
  err.write(`${err.paint("green", "✓")} bits per byte, ${duration((performance.now() - start) / 1000)}\n`)
}

/** Texts of each group up to the bound, one of each file in turn. */
async function textsOf(
  files: readonly DataFile[],
  { most, separator, field }: Flags,
  signal: AbortSignal,
): Promise<Map<string, string[]>> {
  const { groupOf, readExamples } = await import("../data/index.js")
  const texts = new Map<string, string[]>()
  const sizes = new Map<string, number>()
  let readers = files.map(({ path, ...rest }) => ({
    group: groupOf(path),
    examples: readExamples("text", [{ path, ...rest }], { separator, field, signal }),
  }))
  while (readers.length > 0) {
    const open: typeof readers = []
    for (const reader of readers) {
      const size = sizes.get(reader.group) ?? 0
      const next = size >= most ? undefined : await reader.examples.next()
      if (next === undefined || next.done) {
        await reader.examples.return(undefined)
        continue
      }
      open.push(reader)
      const text = next.value.text.slice(0, most - size)
      texts.set(reader.group, [...(texts.get(reader.group) ?? []), text])
      sizes.set(reader.group, size + new TextEncoder().encode(text).length)
    }
    readers = open
  }
  if (texts.size === 0) throw new InvalidFileError("the files hold no text")
  return texts
}

async function scoreModel(
  context: Context,
  name: string,
  checkpoint: Checkpoint,
  texts: ReadonlyMap<string, readonly string[]>,
  flags: Flags,
): Promise<Scores> {
  const { err, lifetime } = context
  const { createBackend } = await import("../backends/index.js")
  const { addScores, noScore, scoreText } = await import("../eval/index.js")
  const { loadModel } = await import("../model/checkpoint.js")
  const { readTokenizer } = await import("../engine/load-model.js")
  const tokenizer = readTokenizer(checkpoint)
  const backend = await createBackend(flags.backend)
  const progress = startProgress(err)
  const end = async () => {
    progress.end()
    await backend.dispose()
  }
  const undo = lifetime.defer(end)
  try {
    const { signal } = lifetime
    const model = await loadModel(checkpoint, backend, { signal })
    const window = flags.window && Math.min(flags.window, model.config.contextLength)
    const all = [...texts.values()].flat()
    const total = all.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0)
    let done = 0
    const scores: Scores = new Map()
    for (const [group, own] of texts) {
      let sum = noScore
      for (const text of own) {
        sum = addScores(sum, await scoreText(backend, model, tokenizer, text, { window, signal }))
        progress.update(oneLine(name), done + sum.bytes, total)
      }
      done += sum.bytes
      scores.set(group, sum)
    }
    return scores
  } finally {
    undo()
    await end()
  }
}

async function writeTable(
  path: string,
  title: string,
  groups: readonly string[],
  models: readonly { readonly name: string }[],
  scores: readonly Scores[],
  { most }: Flags,
): Promise<void> {
  const { tablesFrom } = await import("../card/index.js")
  const { writeFileAtomically } = await import("../formats/node.js")
  const content = await readFile(path, "utf8").catch(() => undefined)
  const earlier = content === undefined ? [] : tablesFrom(parsed(content, path), path)
  const tables = [
    ...earlier.filter((one) => one.title !== title),
    {
      title,
      note: `At most ${count(most)} bytes a row; fewer bits are better.`,
      columns: ["", "Bytes", ...models.map(({ name }) => name)],
      rows: groups.map((group) => [
        group,
        scores[0].get(group)!.bytes,
        ...scores.map((of) => of.get(group)!.bits / Math.max(1, of.get(group)!.bytes)),
      ]),
    },
  ]
  await writeFileAtomically(path, `${JSON.stringify({ version: 1, tables }, undefined, 2)}\n`)
}

function parsed(content: string, path: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw new InvalidFileError(`${path} is not JSON: name another file`, { cause: error })
  }
}
