// All commands under one roof, and how help and usage errors look.
import { Command } from "commander"
import { addBench } from "./bench.js"
import { addCard } from "./card.js"
import { addChat } from "./chat.js"
import type { Context } from "./context.js"
import { addConvert } from "./convert.js"
import { addEval } from "./eval.js"
import { addGenerate } from "./generate.js"
import { addInfo } from "./info.js"
import { addList } from "./list.js"
import { addPrune } from "./prune.js"
import { addPull } from "./pull.js"
import { addRemove } from "./remove.js"
import { addServe } from "./serve.js"
import { addTokenize } from "./tokenize.js"
import { addVocabulary } from "./vocabulary.js"
import { addTrain } from "./train.js"

export function buildProgram(context: Context, version: string): Command {
  const { out, err } = context
  const program = new Command("cria")
    .description("Llama 3.2 in TypeScript: run it, look into it, convert it; on this machine alone.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .exitOverride()
    .configureHelp({
      styleTitle: (text) => out.paint("bold", text),
      styleCommandText: (text) => out.paint("cyan", text),
      styleSubcommandText: (text) => out.paint("cyan", text),
      styleOptionText: (text) => out.paint("cyan", text),
      styleArgumentText: (text) => out.paint("cyan", text),
    })
    .configureOutput({
      writeOut: (text) => out.write(text),
      writeErr: (text) => err.write(text),
      getOutHelpWidth: () => Math.min(out.columns, 110),
      getErrHelpWidth: () => Math.min(err.columns, 110),
      getOutHasColors: () => out.hasColours,
      getErrHasColors: () => err.hasColours,
    })
  for (const add of [
    addChat,
    addGenerate,
    addTokenize,
    addInfo,
    addConvert,
    addVocabulary,
    addTrain,
    addPrune,
    addCard,
    addEval,
    addList,
    addPull,
    addRemove,
    addBench,
  ]) {
    add(program, context)
  }
  addServe(program, context, version)
  program.addHelpText("after", '\nEach command has its own help with examples: "cria generate --help".')
  for (const command of [program, ...program.commands]) {
    const name = command === program ? "cria" : `cria ${command.name()}`
    command.configureOutput({
      outputError: (text, write) => {
        const said = err.paint(["red", "bold"], "error:") + text.trimEnd().replace(/^error:/, "")
        // A suggestion of the parser is advice enough; two lines are the most an error takes.
        write(`${said}${text.trimEnd().includes("\n") ? "" : `\nSee "${name} --help".`}\n`)
      },
    })
  }
  return program
}
