// cria list: the models that are on this disk, whoever put them there.
import { homedir } from "node:os"
import type { Command } from "commander"
import type { LocalModel } from "../hub/index.js"
import type { Context } from "./context.js"
import { bytes, clip, oneLine, plural, table, width } from "./format.js"

const sourceNames = { huggingface: "Hugging Face", ollama: "Ollama", lmstudio: "LM Studio" } as const

export function addList(program: Command, context: Context): void {
  program
    .command("list")
    .alias("ls")
    .summary("models that are on this disk")
    .description("Lists the models in the caches of Hugging Face, Ollama and LM Studio on this disk.")
    .option("--json", "print one JSON array")
    .option("--verbose", "name what looked like a model and is none, and why")
    .addHelpText(
      "after",
      `
Examples:
  $ cria list
  $ cria chat --model "$(cria list --json | jq -r '.[0].id')"`,
    )
    .action((flags: { json?: boolean; verbose?: boolean }) => list(context, flags))
}

async function list({ out, err }: Context, flags: { json?: boolean; verbose?: boolean }): Promise<void> {
  const { listModels } = await import("../hub/index.js")
  const { models, skipped } = await listModels()
  if (flags.verbose)
    for (const { path, reason } of skipped) err.write(`${oneLine(`skipped ${path}: ${reason}`)}\n`)
  if (flags.json) {
    out.write(`${JSON.stringify(models)}\n`)
    return
  }
  if (models.length === 0) {
    err.write('No models on this disk yet. "cria pull owner/name" brings one from the hub.\n')
    return
  }
  const head = ["MODEL", "SOURCE", "SIZE", "PATH"]
  const rows = models.map((model) => [
    oneLine(model.id),
    sourceNames[model.source],
    bytes(model.bytes),
    oneLine(homely(model.path)),
  ])
  const fixed = table(
    [head, ...rows].map((row) => row.slice(0, 3)),
    [2],
  )
  for (const [index, start] of fixed.entries()) {
    // The path is last, so that a narrow terminal cuts what is needed least; a pipe gets all of it.
    const path = index === 0 ? head[3] : rows[index - 1][3]
    const room = out.isTerminal ? Math.max(12, out.columns - width(start) - 3) : Number.POSITIVE_INFINITY
    const line = `${start}  ${out.paint("dim", clip(path, room))}`
    out.write(`${index === 0 ? out.paint("bold", `${start}  ${path}`) : line}\n`)
  }
  err.write(err.paint("dim", `${summaryOf(models)}\n`))
}

function summaryOf(models: readonly LocalModel[]): string {
  const total = models.reduce((sum, model) => sum + model.bytes, 0)
  return `${plural(models.length, "model")}, ${bytes(total)}`
}

/** A path with the user's own folder as ~. */
function homely(path: string): string {
  const home = homedir()
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}
