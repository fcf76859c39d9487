// A conversation at the terminal: asks, answers, shows what it took, and knows what Ctrl-C means when.
import type { Llama } from "../engine/llama.js"
import { ContextOverflowError } from "../errors/index.js"
import { isChatCommand, runChatCommand, type Session } from "./chat-commands.js"
import type { Context } from "./context.js"
import { Conversation } from "./conversation.js"
import { describeFailure } from "./failure.js"
import { bytes, count, duration, harmless, oneLine, plural, rate } from "./format.js"
import { History, historyPath } from "./history.js"
import { Interrupted } from "./lifetime.js"
import { ask, pasteOff, watchKeys } from "./line-editor.js"
import { type SamplingFlags, samplingNames, samplingOf } from "./options.js"
import { watchPrompt } from "./prompt-progress.js"
import { Stopwatch } from "./stopwatch.js"

export interface TalkFlags extends SamplingFlags {
  readonly system?: string
  readonly history: boolean
}

/** Why an answer ended without its end. */
type Stop = "no" | "stop" | "leave"

export class Talk implements Session {
  conversation: Conversation
  settings: Session["settings"] = {}
  readonly model: string
  readonly ownFiles = new Set<string>()
  readonly #context: Context
  readonly #llama: Llama
  readonly #flags: TalkFlags
  #lastLine = ""

  constructor(context: Context, llama: Llama, flags: TalkFlags) {
    this.#context = context
    this.#llama = llama
    this.#flags = flags
    this.model = llama.info.path
    this.conversation = new Conversation(flags.system)
    for (const name of samplingNames) if (flags[name] !== undefined) this.settings[name] = flags[name]
  }

  async run(first: string | undefined): Promise<void> {
    const { stdin, out, err, env, lifetime } = this.#context
    this.#greet()
    const history = await History.open(this.#flags.history ? historyPath(env) : undefined)
    lifetime.defer(() => {
      if (stdin.isTTY) stdin.setRawMode(false)
      out.write(pasteOff)
    })
    const prompt = out.paint(["cyan", "bold"], "> ")
    if (first !== undefined) out.write(`${prompt}${harmless(first)}\n`)
    let message = first
    let interrupted = false
    for (;;) {
      if (message === undefined) {
        const reply = await ask(stdin, out.stream, {
          prompt,
          continuation: out.paint("dim", ". "),
          history: history.newestFirst(),
          signal: lifetime.signal,
        })
        if (reply.kind === "end") return
        if (reply.kind === "interrupt") {
          if (interrupted) throw new Interrupted("SIGINT")
          interrupted = true
          err.write(err.paint("dim", "Ctrl-C once more leaves, so do Ctrl-D and /exit.\n"))
          continue
        }
        message = reply.text
      }
      interrupted = false
      const text = message
      message = undefined
      if (text === "") continue
      await history.add(text)
      const next = isChatCommand(text) ? await this.#command(text) : this.#question(text)
      if (next === "exit") return
      if (next === "answer") {
        const stop = await this.#answer()
        if (stop === "leave") throw new Interrupted("SIGINT")
        interrupted = stop === "stop"
      }
    }
  }

  #greet(): void {
    const { out } = this.#context
    const { info } = this.#llama
    const kinds = Object.keys(info.weights).join(", ")
    const facts = [
      `${kinds}, ${bytes(info.weightBytes)}`,
      info.backend,
      `context ${count(info.contextLength)}`,
    ]
    out.write(
      `${out.paint("bold", oneLine(info.name ?? this.model))}\n${out.paint("dim", oneLine(facts.join(" · ")))}\n` +
        `${out.paint("dim", "Type a message. /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.")}\n\n`,
    )
  }

  #question(text: string): "answer" {
    this.conversation.say("user", text)
    return "answer"
  }

  async #command(text: string) {
    const { out } = this.#context
    try {
      const { next, say } = await runChatCommand(this, text)
      if (say !== "") out.write(`${out.paint("dim", harmless(say))}\n\n`)
      return next
    } catch (error) {
      this.#complain(error)
      return "ask"
    }
  }

  /** Answers the last question; what was stopped midway stays in the conversation. */
  async #answer(): Promise<Stop> {
    const { stdin, out, err, lifetime } = this.#context
    const controller = new AbortController()
    let stop: Stop = "no"
    let leaveNow = () => {}
    const leaving = new Promise<void>((resolve) => {
      leaveNow = resolve
    })
    const onInterrupt = () => {
      if (stop === "no") {
        stop = "stop"
        controller.abort()
      } else {
        stop = "leave"
        leaveNow()
      }
    }
    const stopWatching = watchKeys(stdin, onInterrupt)
    const undo = lifetime.onInterrupt(onInterrupt)
    const messages = this.conversation.messages()
    const waiting = watchPrompt(
      this.#llama,
      err,
      messages.map(({ content }) => content),
    )
    const watch = new Stopwatch()
    let text = ""
    const generate = async () => {
      const answer = this.#llama.chat(messages, {
        ...samplingOf({ ...this.settings, stop: this.#flags.stop }),
        signal: AbortSignal.any([controller.signal, lifetime.signal]),
      })
      for await (const piece of answer) {
        waiting.end()
        watch.piece(piece)
        text += piece.text
        out.writeForeign(piece.text)
      }
    }
    let failure: unknown
    try {
      await Promise.race([generate(), leaving])
    } catch (error) {
      if (lifetime.signal.aborted) throw error
      if (!controller.signal.aborted) failure = error
    } finally {
      waiting.end()
      stopWatching()
      undo()
    }
    if (text !== "" && !text.endsWith("\n")) out.write("\n")
    if (failure !== undefined) {
      if (text === "") this.conversation.undo()
      this.#complain(failure)
    }
    if (text !== "") this.conversation.say("assistant", text)
    else if (stop !== "no") this.conversation.undo()
    if (failure === undefined) {
      this.#lastLine = this.#summary(watch, stop !== "no")
      out.write(`${out.paint("dim", this.#lastLine)}\n\n`)
    }
    return stop
  }

  #summary(watch: Stopwatch, stopped: boolean): string {
    if (stopped && watch.tokens === 0) return "stopped before the answer began; the message is taken back"
    const { tokensPerSecond, firstTokenMilliseconds } = watch.timings()
    const parts = [plural(watch.tokens, "token")]
    if (tokensPerSecond > 0) parts.push(`${rate(tokensPerSecond)} tokens/s`)
    if (watch.tokens > 0) parts.push(`first after ${duration(firstTokenMilliseconds / 1000)}`)
    if (watch.usage) {
      const used = watch.usage.promptTokens + watch.usage.completionTokens
      const { contextLength } = this.#llama.info
      parts.push(
        `context ${count(used)} of ${count(contextLength)} (${Math.round((100 * used) / contextLength)}%)`,
      )
    }
    return `${stopped ? "stopped · " : ""}${parts.join(" · ")}`
  }

  async stats(): Promise<string> {
    const { pages } = await this.#llama.stats()
    const { info } = this.#llama
    const lines = [
      `last answer: ${this.#lastLine === "" ? "none yet" : this.#lastLine}`,
      `turns:       ${this.conversation.turns.length}`,
      `cache:       ${pages.total - pages.free} of ${pages.total} pages in use, ${pages.cached} kept for reuse`,
      `weights:     ${bytes(info.weightBytes)} (${Object.keys(info.weights).join(", ")})`,
      `process:     ${bytes(process.memoryUsage().rss)} of memory`,
      `runs on:     ${info.backend}`,
    ]
    return lines.join("\n")
  }

  #complain(error: unknown): void {
    const { err } = this.#context
    const advice = error instanceof ContextOverflowError ? "; here /undo and /clear make room too" : ""
    err.write(`${err.paint(["red", "bold"], "error:")} ${describeFailure(error).message}${advice}\n\n`)
  }
}
