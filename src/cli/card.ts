// cria card: the model card of a folder.
import { readFile, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { type Command, Option } from "commander"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { oneLine } from "./format.js"
import { repeated } from "./options.js"

interface Flags {
  readonly about?: string
  readonly evaluation?: string[]
  readonly published?: "llama-3.2"
  readonly print?: boolean
  readonly force?: boolean
}

export function addCard(program: Command, context: Context): void {
  program
    .command("card")
    .summary("write the model card of a model")
    .description(
      "Writes README.md into the folder of a model: what it is for and not for, languages, data with licences, stages of training, energy and emissions, evaluation, limits. Numbers come from what training has left there (training.json), words from a file of yours.",
    )
    .argument("[folder]", "the folder of a model")
    .option(
      "--about <file>",
      "YAML or JSON with the words (default: about.yaml in the folder, if it is there)",
    )
    .addOption(
      new Option(
        "--evaluation <file>",
        "JSON with tables of results; may be repeated (default: evaluation.json in the folder)",
      ).argParser(repeated),
    )
    .addOption(
      new Option(
        "--published <model>",
        "instead work out the energy figures that a maker has published",
      ).choices(["llama-3.2"]),
    )
    .option("--print", "print the card instead of writing it")
    .option("--force", "replace a README.md that was written by hand")
    .addHelpText(
      "after",
      `
Fields of the file with the words, all of them optional:
  name, description, languages, licence, licenceLink, intendedUse,
  outOfScopeUse, limits, isNot, contact,
  data: a list of {name, licence, source, amount, used};
  evaluation: a list of {title, note, columns, rows}

Examples:
  $ cria card ./my-model --about about.yaml
  $ cria card ./my-model --print | less
  $ cria card --published llama-3.2`,
    )
    .action((folder: string | undefined, flags: Flags) => card(context, folder, flags))
}

async function card(context: Context, folder: string | undefined, flags: Flags): Promise<void> {
  const { out, err } = context
  if (flags.published !== undefined) {
    if (folder !== undefined) throw new UsageError("--published goes without a folder")
    const { publishedLlama32 } = await import("../card/index.js")
    out.write(publishedLlama32())
    return
  }
  if (folder === undefined) throw new UsageError("no model is named: give the folder of one")
  const text = await cardOf(folder, flags)
  if (flags.print) {
    out.writeForeign(text)
    return
  }
  const { cardMark } = await import("../card/index.js")
  const path = join(await folderOf(folder), "README.md")
  const there = await readFile(path, "utf8").catch(() => undefined)
  if (there !== undefined && !there.includes(cardMark) && !flags.force)
    throw new InvalidOptionError(
      `${oneLine(path)} was not written by this command: add --force to replace it`,
    )
  const { writeFileAtomically } = await import("../formats/node.js")
  await writeFileAtomically(path, text)
  err.write(`${err.paint("green", "✓")} ${oneLine(path)}\n`)
}

const folderOf = async (path: string): Promise<string> =>
  (await stat(path)).isDirectory() ? path : dirname(path)

async function cardOf(path: string, flags: Flags): Promise<string> {
  const { openCheckpoint } = await import("../formats/node.js")
  const { describeModel } = await import("./describe-model.js")
  const { aboutFrom, modelCard, readStages, tablesFrom } = await import("../card/index.js")
  const folder = await folderOf(path)
  const checkpoint = await openCheckpoint(path)
  try {
    const { config, parameters, weightsInFile } = await describeModel(checkpoint, "auto")
    const aboutPath = flags.about ?? join(folder, "about.yaml")
    const about = aboutFrom(await readYaml(aboutPath, flags.about !== undefined), aboutPath)
    const tables = []
    for (const file of flags.evaluation ?? [join(folder, "evaluation.json")]) {
      const value = await readYaml(file, flags.evaluation !== undefined)
      if (value !== undefined) tables.push(...tablesFrom(value, file))
    }
    return modelCard({
      name: basename(resolve(folder)),
      config,
      parameters,
      weights: weightsInFile,
      stages: await readStages(folder),
      about,
      evaluation: tables,
    })
  } finally {
    await checkpoint.close()
  }
}

const mostBytes = 2 ** 22

/** A YAML (or JSON) file as values; undefined where it is not there and need not be. */
async function readYaml(path: string, needed: boolean): Promise<unknown> {
  const status = await stat(path).catch(() => undefined)
  if (status === undefined && !needed) return undefined
  if (status && status.size > mostBytes) throw new InvalidFileError(`${path} has over ${mostBytes} bytes`)
  const text = await readFile(path, "utf8")
  const { parse } = await import("yaml")
  try {
    return parse(text, { maxAliasCount: 0 }) as unknown
  } catch (error) {
    const [message] = (error instanceof Error ? error.message : "").split("\n")
    throw new InvalidFileError(`${path} is not valid YAML: ${message}`, { cause: error })
  }
}
