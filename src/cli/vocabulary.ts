// cria vocabulary: a tokenizer made from texts.
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { type Command, InvalidArgumentError, Option } from "commander"
import type { GroupReport } from "../data/index.js"
import { InvalidOptionError } from "../errors/index.js"
import type { PreTokenizer } from "../tokenizer/index.js"
import type { Context } from "./context.js"
import { bytes, count, duration, oneLine, table } from "./format.js"
import { fieldOption, numberIn, separatorOption } from "./options.js"
import { startProgress } from "./progress.js"

interface Flags {
  readonly size: number
  readonly preTokenizer: PreTokenizer
  readonly balance: number
  readonly share?: Readonly<Record<string, number>>
  readonly minFrequency: number
  readonly longestToken: number
  readonly reserved: number
  readonly separator: string
  readonly field: string
  readonly force?: boolean
  readonly json?: boolean
}

export function addVocabulary(program: Command, context: Context): void {
  const whole = (min: number, max: number) => numberIn({ min, max, whole: true })
  program
    .command("vocabulary")
    .summary("make a tokenizer from texts")
    .description(
      "Makes a vocabulary of byte-level BPE with the special tokens of Llama 3 from text files, and writes it as transformers reads it (tokenizer.json). Files are grouped by their names up to the first dot, so that languages can be weighed.",
    )
    .argument("<out>", "the folder to write")
    .argument("<text...>", "files (.txt, .jsonl; .gz or not), folders, or names with *")
    .addOption(
      new Option("--size <tokens>", "ids in all, special ones included")
        .default(8192)
        .argParser(whole(264, 1 << 20)),
    )
    .addOption(
      new Option(
        "--pre-tokenizer <name>",
        "how text is cut before merging: marks keeps the words of Devanagari and Thai whole and digits apart, llama3 is that of Llama 3",
      )
        .choices(["marks", "llama3"])
        .default("marks"),
    )
    .addOption(
      new Option(
        "--balance <number>",
        "weight of a group: its bytes to the power of this; 1 as they are, 0 all equal",
      )
        .default(0.3)
        .argParser(numberIn({ min: 0, max: 1 })),
    )
    .addOption(
      new Option("--share <group=factor>", "multiply the weight of a group; may be repeated").argParser(
        share,
      ),
    )
    .addOption(
      new Option("--min-frequency <number>", "occurrences that a token needs")
        .default(2)
        .argParser(whole(1, 2 ** 31)),
    )
    .addOption(new Option("--longest-token <bytes>", "longest token").default(48).argParser(whole(2, 1024)))
    .addOption(
      new Option("--reserved <number>", "unnamed special tokens for later use")
        .default(8)
        .argParser(whole(0, 245)),
    )
    .addOption(separatorOption())
    .addOption(fieldOption())
    .option("--force", "replace the tokenizer that is there")
    .option("--json", "print one JSON object about what was made")
    .addHelpText(
      "after",
      `
Examples:
  $ cria vocabulary ./tokenizer ./texts
  $ cria vocabulary ./tokenizer "corpus/*.txt.gz" --size 16384 --share hi=1.5 --share th=1.5
  $ cria vocabulary ./tokenizer pages.jsonl --field body --pre-tokenizer llama3
  $ cria tokenize --model ./tokenizer "What does it make of this?"`,
    )
    .action((out: string, texts: string[], flags: Flags) => vocabulary(context, out, texts, flags))
}

function share(text: string, earlier: Record<string, number> | undefined): Record<string, number> {
  const [, group, factor] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (group === undefined) throw new InvalidArgumentError("Expected group=factor, such as hi=1.5.")
  return { ...earlier, [group]: numberIn({ min: 0, above: true, max: 1000 })(factor) }
}

async function vocabulary(
  context: Context,
  out: string,
  texts: readonly string[],
  flags: Flags,
): Promise<void> {
  const { err, lifetime } = context
  const file = join(out, "tokenizer.json")
  if (!flags.force && (await stat(file).catch(() => undefined)))
    throw new InvalidOptionError(`${oneLine(file)} exists: choose another folder, or add --force`)
  const { dataFiles, vocabularyFromFiles, writeTokenizerFiles } = await import("../data/index.js")
  const files = await dataFiles(texts)
  const start = performance.now()
  const shown = { reading: startProgress(err), merging: startProgress(err, { unit: "tokens" }) }
  const undo = lifetime.defer(() => Object.values(shown).forEach((progress) => progress.end()))
  try {
    const { size, preTokenizer, balance, share: shares, minFrequency, reserved, separator, field } = flags
    const { tokenizer, groups } = await vocabularyFromFiles(files, {
      size,
      preTokenizer,
      balance,
      shares,
      minFrequency,
      mostTokenBytes: flags.longestToken,
      reserved,
      separator,
      field,
      signal: lifetime.signal,
      onProgress(phase, done, total) {
        if (phase === "merging") shown.reading.end()
        shown[phase].update(phase === "reading" ? "Reading" : "Merging", done, total)
      },
    })
    await writeTokenizerFiles(out, tokenizer)
    Object.values(shown).forEach((progress) => progress.end())
    report(
      context,
      { path: out, size: tokenizer.size, wanted: size, groups },
      (performance.now() - start) / 1000,
      flags,
    )
  } finally {
    Object.values(shown).forEach((progress) => progress.end())
    undo()
  }
}

interface Made {
  readonly path: string
  readonly size: number
  readonly wanted: number
  readonly groups: readonly GroupReport[]
}

function report({ out, err }: Context, made: Made, seconds: number, { json }: Flags): void {
  const { path, size, wanted, groups } = made
  if (json) {
    out.write(`${JSON.stringify({ path, size, seconds, groups })}\n`)
    return
  }
  const number = (value: number | undefined) => (value === undefined ? "" : value.toFixed(2))
  const rows = groups.map((group) => [
    oneLine(group.name),
    bytes(group.bytes),
    `${(100 * group.share).toFixed(1)} %`,
    number(group.charactersPerToken),
    number(group.bytesPerToken),
  ])
  out.write(
    `${table([["GROUP", "TEXT", "WEIGHT", "CHARACTERS/TOKEN", "BYTES/TOKEN"], ...rows], [1, 2, 3, 4]).join("\n")}\n`,
  )
  if (size < wanted)
    err.write(`The texts are enough for ${count(size)} tokens only: no further pair occurs often enough.\n`)
  err.write(
    `${err.paint("green", "✓")} ${oneLine(path)}: ${count(size)} tokens in ${duration(seconds)}; rates on one document in fifty, held out\n`,
  )
}
