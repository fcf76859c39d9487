// cria chat: a conversation at the terminal; with piped input one answer.
import type { Command } from "commander"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { answerOnce, readPrompt } from "./generate.js"
import { loadChatModel } from "./load.js"
import { addModelFlags, addSamplingFlags, type ModelFlags, promptOf, type SamplingFlags } from "./options.js"

interface Flags extends ModelFlags, SamplingFlags {
  readonly prompt?: string
  readonly system?: string
  readonly history: boolean
}

export function addChat(program: Command, context: Context): void {
  const command = program
    .command("chat")
    .summary("talk with a model")
    .description("A conversation in the terminal. With a pipe as input it answers once and leaves.")
    .argument("[message...]", "the first message")
    .option("-p, --prompt <text>", "the first message as one argument")
    .option("--system <text>", "instructions that stand before everything")
    .option("--no-history", "neither read nor keep the history of messages for the arrow keys")
  addModelFlags(command)
  addSamplingFlags(command)
  command
    .addHelpText(
      "after",
      `
Examples:
  $ cria chat
  $ cria chat --model ./llama-3.2-1b --system "You answer in one sentence."
  $ echo "What is a cria?" | cria chat --temperature 0

In the chat /help lists the commands, Ctrl-C stops an answer and Ctrl-D leaves.`,
    )
    .action((words: string[], flags: Flags) => chat(context, words, flags))
}

async function chat(context: Context, words: readonly string[], flags: Flags): Promise<void> {
  const { stdin, out } = context
  const first = promptOf(words, flags.prompt)
  if (!stdin.isTTY || !out.isTerminal) {
    if (stdin.isTTY && first === undefined)
      throw new UsageError(
        'chat needs a terminal to talk: give a message, as in cria chat "Why is the sky blue?"',
      )
    const message = await readPrompt(context, words, flags.prompt)
    return answerOnce(context, message, { ...flags, chat: true })
  }
  const llama = await loadChatModel(context, flags)
  const { Talk } = await import("./talk.js")
  await new Talk(context, llama, flags).run(first)
}
