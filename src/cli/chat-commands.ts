// The /commands of a chat: each changes the session or says something about it. Knows no terminal.
import { randomBytes } from "node:crypto"
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import { CriaError, InvalidOptionError } from "../errors/index.js"
import { Conversation, type Settings } from "./conversation.js"
import { bytes, table } from "./format.js"
import { numberIn, type SamplingName, samplingNames, samplingOptions } from "./options.js"

/** What a command may see and change. */
export interface Session {
  conversation: Conversation
  settings: Settings
  readonly model: string
  /** Files that this session has written or read: /save may replace them. */
  readonly ownFiles: Set<string>
  stats(): Promise<string>
}

/** What the chat does next. */
export type Next = "ask" | "answer" | "exit"

export interface Outcome {
  readonly next: Next
  /** Lines to show; may be empty. */
  readonly say: string
}

interface ChatCommand {
  readonly usage: string
  readonly text: string
  run(session: Session, argument: string): Outcome | Promise<Outcome>
}

const said = (say: string): Outcome => ({ next: "ask", say })
const largestFile = 16 * 2 ** 20

export const chatCommands: Readonly<Record<string, ChatCommand>> = {
  help: {
    usage: "/help",
    text: "this list",
    run: () =>
      said(
        `${table(Object.values(chatCommands).map(({ usage, text }) => [usage, text])).join("\n")}\n\n` +
          `/set knows ${samplingNames.join(", ")}.\n` +
          'A line that ends with \\ goes on, and so does a block between """ and """.\n' +
          "A pasted block waits for Enter. The arrow keys bring back earlier messages.\n" +
          "Ctrl-C stops an answer, once more leaves; Ctrl-D leaves.",
      ),
  },
  clear: {
    usage: "/clear",
    text: "forget the conversation; the system text stays",
    run(session) {
      session.conversation = new Conversation(session.conversation.system)
      return said("The conversation is empty again.")
    },
  },
  system: {
    usage: "/system [text]",
    text: 'set the instructions before everything; "-" removes them',
    run({ conversation }, argument) {
      if (argument === "") return said(conversation.system ?? "There is no system text.")
      conversation.system = argument === "-" ? undefined : argument
      return said(argument === "-" ? "The system text is gone." : "The system text is set.")
    },
  },
  set: {
    usage: "/set [name value]",
    text: 'how tokens are chosen; the value "default" takes it back',
    run: ({ settings }, argument) => said(set(settings, argument)),
  },
  retry: {
    usage: "/retry",
    text: "answer the last message again",
    run({ conversation }) {
      const question = conversation.undo()
      if (question === undefined) return said("There is nothing to answer again.")
      conversation.say("user", question)
      return { next: "answer", say: "" }
    },
  },
  undo: {
    usage: "/undo",
    text: "take back the last message and its answer",
    run({ conversation }) {
      const question = conversation.undo()
      if (question === undefined) return said("There is nothing to take back.")
      const start = question.split("\n")[0]
      return said(`Taken back: ${start.length > 60 ? `${start.slice(0, 60)}…` : start}`)
    },
  },
  save: {
    usage: "/save <file>",
    text: "write the conversation and the settings to a file",
    run: async (session, argument) => said(await save(session, argument)),
  },
  load: {
    usage: "/load <file>",
    text: "go on with a saved conversation",
    run: async (session, argument) => said(await load(session, argument)),
  },
  stats: {
    usage: "/stats",
    text: "speed, context and memory",
    run: async (session) => said(await session.stats()),
  },
  exit: {
    usage: "/exit",
    text: "leave (also /bye, /quit, Ctrl-D)",
    run: () => ({ next: "exit", say: "" }),
  },
}

const aliases: Readonly<Record<string, string>> = { bye: "exit", quit: "exit", q: "exit", "?": "help" }

/** Whether a message is meant for the chat and not for the model: a slash and a word, as in /help. */
export const isChatCommand = (text: string): boolean => /^\/[a-z?]+(?:\s|$)/i.test(text)

/** Runs a command. Errors that the user can mend are thrown as CriaError. */
export async function runChatCommand(session: Session, text: string): Promise<Outcome> {
  const [, word, argument] = /^\/(\S+)\s*([\s\S]*)$/.exec(text)!
  const name = word.toLowerCase()
  const command = chatCommands[aliases[name] ?? name]
  if (!Object.hasOwn(chatCommands, aliases[name] ?? name) || !command)
    throw new InvalidOptionError(`there is no /${word}: /help lists the commands`)
  return command.run(session, argument.trim())
}

function set(settings: Settings, argument: string): string {
  const show = (name: SamplingName) => `${name} ${settings[name] ?? "default"}`
  if (argument === "") return samplingNames.map(show).join(", ")
  const [word, value, ...rest] = argument.split(/[\s=]+/)
  const plain = word.replace(/^--/, "").replaceAll(/[-_]/g, "").toLowerCase()
  const name = samplingNames.find((candidate) => candidate.toLowerCase() === plain)
  if (!name || rest.length > 0)
    throw new InvalidOptionError(`/set knows ${samplingNames.join(", ")}, as in /set temperature 0.2`)
  if (value === undefined || value === "") return show(name)
  if (value === "default") delete settings[name]
  else {
    try {
      settings[name] = numberIn(samplingOptions[name].range)(value)
    } catch (error) {
      throw new InvalidOptionError(
        `${name} "${value}": ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
  return show(name)
}

async function save(session: Session, argument: string): Promise<string> {
  if (argument === "") throw new InvalidOptionError("/save needs a file name, as in /save tides.json")
  const path = resolve(argument)
  if (!session.ownFiles.has(path) && (await stat(path).catch(() => undefined)))
    throw new InvalidOptionError(`${argument} exists: choose another name`)
  const text = session.conversation.toJson(session.settings, session.model)
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: "wx" })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  session.ownFiles.add(path)
  return `Saved ${turns(session.conversation)} to ${argument} (${bytes(Buffer.byteLength(text))}).`
}

async function load(session: Session, argument: string): Promise<string> {
  if (argument === "") throw new InvalidOptionError("/load needs the name of a file that /save has written")
  const path = resolve(argument)
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new InvalidOptionError(`${argument}: there is no such file`)
  if (info.size > largestFile)
    throw new CriaError(
      "invalid_file",
      `${argument} has ${bytes(info.size)}: a saved chat has at most ${bytes(largestFile)}`,
    )
  const loaded = Conversation.fromJson(await readFile(path, "utf8"), argument)
  session.conversation = loaded.conversation
  session.settings = loaded.settings
  session.ownFiles.add(path)
  const last = loaded.conversation.turns.at(-1)
  return `Loaded ${turns(loaded.conversation)}.${last?.role === "user" ? " The last one has no answer yet: /retry." : ""}`
}

const turns = ({ turns: { length } }: Conversation): string => `${length} ${length === 1 ? "turn" : "turns"}`
