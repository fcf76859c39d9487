// cria remove: deletes a pulled model from this disk, after asking.
import type { Command } from "commander"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { bytes, oneLine, plural } from "./format.js"
import { Interrupted } from "./lifetime.js"

interface Flags {
  readonly yes?: boolean
  readonly json?: boolean
}

export function addRemove(program: Command, context: Context): void {
  program
    .command("remove")
    .alias("rm")
    .summary("delete a pulled model from this disk")
    .description(
      "Deletes a model from the Hugging Face cache: all of it, one revision, or one quantization. What another revision uses stays.",
    )
    .argument("<id>", "owner/name, owner/name@revision or owner/name:Q4_0, as cria list shows it")
    .option("-y, --yes", "do not ask")
    .option("--json", "print one JSON object with what was removed")
    .addHelpText(
      "after",
      `
Examples:
  $ cria remove bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_0
  $ cria remove meta-llama/Llama-3.2-1B-Instruct --yes`,
    )
    .action((id: string, flags: Flags) => remove(context, id, flags))
}

async function remove({ out, err, stdin }: Context, id: string, flags: Flags): Promise<void> {
  const { listModels, removeModel } = await import("../hub/index.js")
  if (!flags.yes) {
    if (!stdin.isTTY || !err.isTerminal)
      throw new UsageError(`removing ${oneLine(id)} needs a yes: run it in a terminal, or add --yes`)
    const { models } = await listModels()
    const meant = models.filter(
      ({ id: known }) => known === id || (/^[@:]/.test(known.slice(id.length)) && known.startsWith(id)),
    )
    // Where nothing is found, removeModel says so, with the nearest names.
    if (meant.length > 0) {
      const total = bytes(meant.reduce((sum, model) => sum + model.bytes, 0))
      const { confirm, isCancel } = await import("@clack/prompts")
      const answer = await confirm({
        message: `Remove ${oneLine(id)} (${meant.length > 1 ? `${plural(meant.length, "model")}, ` : ""}${total})?`,
        initialValue: false,
        output: process.stderr,
      })
      if (isCancel(answer) || !answer) {
        err.write("Nothing was removed.\n")
        if (isCancel(answer)) throw new Interrupted("SIGINT")
        return
      }
    }
  }
  const removed = await removeModel(id)
  if (flags.json) out.write(`${JSON.stringify(removed)}\n`)
  else
    err.write(
      `${err.paint("green", "✓")} removed ${oneLine(removed.id)}: ${plural(removed.files.length, "file")}, ` +
        `${bytes(removed.bytes)} free again\n`,
    )
}
