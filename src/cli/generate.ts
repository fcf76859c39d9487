// cria generate: one prompt, one answer. The answer alone goes to standard output.
import type { Command } from "commander"
import type { FinishReason } from "../engine/options.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { duration, plural, rate } from "./format.js"
import { loadChatModel, loadLlama } from "./load.js"
import {
  addModelFlags,
  addSamplingFlags,
  type ModelFlags,
  promptOf,
  type SamplingFlags,
  samplingOf,
} from "./options.js"
import { watchPrompt } from "./prompt-progress.js"
import { readStandardInput } from "./standard-input.js"
import { Stopwatch } from "./stopwatch.js"

interface Flags extends ModelFlags, SamplingFlags {
  readonly prompt?: string
  readonly chat?: boolean
  readonly system?: string
  readonly special?: boolean
  readonly json?: boolean
}

export function addGenerate(program: Command, context: Context): void {
  const command = program
    .command("generate")
    .summary("continue a text, or answer one question")
    .description(
      "Continues a prompt. The text goes to standard output as it comes, everything else to standard error.",
    )
    .argument("[prompt...]", 'the prompt; "-" or nothing reads standard input')
    .option("-p, --prompt <text>", "the prompt as one argument; may be empty")
    .option("--chat", "ask the prompt as a user's turn instead of continuing it")
    .option("--system <text>", "instructions before the user's turn (with --chat)")
    .option("--special", "read special tokens such as <|eot_id|> in the prompt (only in a text of your own)")
    .option("--json", "print one JSON object with the text, the usage and the timings")
  addModelFlags(command)
  addSamplingFlags(command)
  command
    .addHelpText(
      "after",
      `
Examples:
  $ cria generate "The capital of France is" --max-tokens 20
  $ cria generate --chat "Explain tides to a child" --temperature 0
  $ cat report.txt | cria generate --chat --system "Summarise the text in three sentences."
  $ cria generate --model ./model.gguf --prompt "" --seed 7 --json`,
    )
    .action((words: string[], flags: Flags) => generate(context, words, flags))
}

async function generate(context: Context, words: readonly string[], flags: Flags): Promise<void> {
  if (flags.system !== undefined && !flags.chat)
    throw new UsageError("--system needs --chat: without it the prompt is continued as it stands")
  if (flags.special && flags.chat)
    throw new UsageError("--special does not go with --chat: turns are built for you")
  await answerOnce(context, await readPrompt(context, words, flags.prompt), flags)
}

/** One answer to standard output, as text or as JSON. */
export async function answerOnce(context: Context, prompt: string, flags: Flags): Promise<void> {
  const { out, err, lifetime } = context
  if (flags.chat && prompt.trim() === "")
    throw new UsageError(
      'nothing to answer: give a question, as in cria generate --chat "Why is the sky blue?"',
    )
  const options = { ...samplingOf(flags), signal: lifetime.signal }
  const llama = await (flags.chat ? loadChatModel(context, flags) : loadLlama(context, flags))
  const watch = new Stopwatch()
  const waiting = watchPrompt(llama, err, flags.system === undefined ? [prompt] : [flags.system, prompt])
  const system = flags.system === undefined ? [] : [{ role: "system" as const, content: flags.system }]
  const answer = flags.chat
    ? llama.chat([...system, { role: "user", content: prompt }], options)
    : llama.generate(prompt, { ...options, special: flags.special })
  const tokens: number[] = []
  const parts: string[] = []
  let finishReason: FinishReason | undefined
  try {
    for await (const piece of answer) {
      waiting.end()
      watch.piece(piece)
      finishReason ??= piece.finishReason
      if (flags.json && piece.token !== undefined) tokens.push(piece.token)
      if (piece.text === "") continue
      parts.push(piece.text)
      if (!flags.json) out.writeForeign(piece.text)
    }
  } finally {
    waiting.end()
    if (!flags.json && out.isTerminal && parts.length > 0 && !parts.at(-1)!.endsWith("\n")) out.write("\n")
  }
  const timings = watch.timings()
  if (flags.json) {
    out.write(
      `${JSON.stringify({ text: parts.join(""), tokens, finishReason, usage: watch.usage, timings })}\n`,
    )
  } else if (flags.verbose) {
    err.write(
      `${plural(watch.tokens, "token")}, ${rate(timings.tokensPerSecond)} tokens/s, first after ` +
        `${duration(timings.firstTokenMilliseconds / 1000)}, ended by ${finishReason}\n`,
    )
  }
}

/** The prompt of the command line, or of standard input where none is given or "-" asks for it. */
export async function readPrompt(
  { stdin, err, lifetime }: Context,
  words: readonly string[],
  flag: string | undefined,
): Promise<string> {
  const given = promptOf(words, flag)
  const named = words.length === 1 && words[0] === "-"
  if (given !== undefined && !named) return given
  if (stdin.isTTY) {
    if (!named) return ""
    err.write(`${err.paint("dim", "Type the prompt and end it with Ctrl-D on a line of its own.")}\n`)
  }
  const text = await readStandardInput(stdin, { wait: named, signal: lifetime.signal, err })
  // The newline that echo and editors put at the end of a file is no part of a prompt.
  return text.replace(/\r?\n$/, "")
}
