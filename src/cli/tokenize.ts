// cria tokenize: what a model's vocabulary makes of a text, and back.
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Command } from "commander"
import type { Tokenizer } from "../tokenizer/index.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { count, harmless } from "./format.js"
import { readPrompt } from "./generate.js"
import { modelOption } from "./options.js"
import { openSource } from "./model-source.js"

interface Flags {
  readonly model: string
  readonly prompt?: string
  readonly decode?: boolean
  readonly count?: boolean
  readonly special?: boolean
  readonly bos?: boolean
  readonly json?: boolean
}

export function addTokenize(program: Command, context: Context): void {
  program
    .command("tokenize")
    .summary("text to token ids and back")
    .description(
      "Shows the tokens of a text, one id and piece each. Reads standard input where no text is given.",
    )
    .argument("[text...]", "the text, or with --decode the ids")
    .addOption(modelOption())
    .option("-p, --prompt <text>", "the text as one argument")
    .option("--decode", "the other way: ids to text")
    .option("--count", "print the number of tokens alone")
    .option("--special", "read special tokens such as <|eot_id|>; with --decode show them")
    .option("--bos", "put the beginning-of-text token first")
    .option("--json", "print one JSON array of ids; with --decode one JSON string")
    .addHelpText(
      "after",
      `
Examples:
  $ cria tokenize --model ./llama-3.2-1b "How many tokens is this?"
  $ cria tokenize --count < book.txt
  $ cria tokenize --decode 128000 9906 1917 --special
  $ cria tokenize --json "Hello" | jq length`,
    )
    .action((words: string[], flags: Flags) => tokenize(context, words, flags))
}

async function tokenize(context: Context, words: readonly string[], flags: Flags): Promise<void> {
  const { out, stdin } = context
  if (flags.decode && flags.count) throw new UsageError("--count goes with a text, not with --decode")
  if (stdin.isTTY && words.length === 0 && flags.prompt === undefined)
    throw new UsageError('there is no text: give one, as in cria tokenize "Hello", or pipe it in')
  const tokenizer = await tokenizerOf(context, flags.model)
  const text = await readPrompt(context, words, flags.prompt)
  if (flags.decode) {
    const decoded = tokenizer.decode(idsOf(text, tokenizer.size), { special: flags.special })
    if (flags.json) out.write(`${JSON.stringify(decoded)}\n`)
    else out.writeForeign(out.isTerminal && !decoded.endsWith("\n") ? `${decoded}\n` : decoded)
    return
  }
  const ids = tokenizer.encode(text, { bos: flags.bos, special: flags.special })
  if (flags.count) out.write(`${ids.length}\n`)
  else if (flags.json) out.write(`${JSON.stringify(ids)}\n`)
  else if (out.isTerminal) show(context, tokenizer, ids)
  else for (let at = 0; at < ids.length; at += 4096) out.write(lines(tokenizer, ids.slice(at, at + 4096)))
}

/** The tokenizer of a model, or one without a model, as `cria vocabulary` makes it. */
async function tokenizerOf(context: Context, source: string): Promise<Tokenizer> {
  const names: string[] = await readdir(source).catch(() => [])
  if (names.includes("tokenizer.json") && !names.includes("config.json")) {
    const { Tokenizer } = await import("../tokenizer/index.js")
    return Tokenizer.fromTokenizerJson(await readFile(join(source, "tokenizer.json"), "utf8"))
  }
  const { readTokenizer } = await import("../engine/load-model.js")
  return readTokenizer(await openSource(context, source))
}

/** The ids in a text such as `128000, 9906 1917` or `[1, 2]`. */
function idsOf(text: string, size: number): number[] {
  const words = text.split(/[\s,[\]]+/).filter((word) => word !== "")
  return words.map((word) => {
    const id = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN
    if (!(id < size))
      throw new UsageError(
        `"${word.slice(0, 40)}" is not a token id: this vocabulary has 0 to ${count(size - 1)}`,
      )
    return id
  })
}

/** One line a token: the id and the piece as a JSON string. */
function lines(tokenizer: Tokenizer, ids: readonly number[]): string {
  return ids.map((id) => `${id}\t${JSON.stringify(pieceOf(tokenizer, id))}\n`).join("")
}

/** A token as text; bytes that are no whole character are shown as <C3>. */
function pieceOf(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id).slice()
  const text = new TextDecoder().decode(bytes)
  if (!text.includes("\ufffd")) return text
  return [...bytes].map((byte) => `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`).join("")
}

/** Pieces as blocks of alternating colours, so that one sees where each begins; then the ids. */
function show({ out, err }: Context, tokenizer: Tokenizer, ids: readonly number[]): void {
  const most = 2000
  let blocks = ""
  for (const [index, id] of ids.slice(0, most).entries()) {
    const piece = harmless(pieceOf(tokenizer, id))
    const special = tokenizer.isSpecial(id)
    // A newline inside a block would tear it: it is shown as a sign and then done.
    for (const [part, line] of piece.split("\n").entries()) {
      if (part > 0) blocks += `${block(index, special, "⏎")}\n`
      if (line !== "") blocks += block(index, special, line)
    }
    if (!out.hasColours) blocks += "|"
  }
  const rest = ids.length > most ? ` … (${count(ids.length - most)} more)` : ""
  const text = new TextEncoder().encode(tokenizer.decode(ids)).length
  out.write(`${blocks}\n\n${ids.slice(0, most).join(" ")}${rest}\n`)
  const perToken = ids.length > 0 ? `, ${(text / ids.length).toFixed(1)} bytes each` : ""
  err.write(err.paint("dim", `${count(ids.length)} token${ids.length === 1 ? "" : "s"}${perToken}\n`))

  function block(index: number, special: boolean, text: string): string {
    if (!out.hasColours) return text
    const background = special ? "45" : ["44", "42", "46", "43"][index % 4]
    return `\u001b[${background};${special ? "97" : "30"}m${text}\u001b[0m`
  }
}
