// Tells tool calls from plain text while a turn is still being written: plain text passes at once, what may
// become a call is held back. Decides only by how a turn begins; reading the calls is tool-calls.ts, and while they are
// being written tool-call-deltas.ts.
import { builtinSearches } from "./call-arguments.js"
import type { Tool } from "./messages.js"
import { toolFunction } from "./messages.js"
import { type ToolCallDelta, ToolCallReader } from "./tool-call-deltas.js"
import { type ParsedTurn, parseToolCalls, pythonTag, type ToolCallOptions } from "./tool-calls.js"

/** What the turn is so far: it may still be a call, it is collected as one, or it is text. */
export type ToolStreamState = "undecided" | "call" | "text"

/** A beginning longer than this that is not yet surely a call is text. */
const maxUndecided = 1024

/**
 * Watches one turn of the model. Feed every piece to `push` and show what it returns; at the end `finish` gives the
 * calls and the text still held back. What `push` returned and `finish().text` together are the whole turn, less
 * the calls. Special tokens (`<|python_tag|>`) must be fed as their text.
 */
export class ToolCallStream {
  readonly #tools: readonly Tool[]
  readonly #options: ToolCallOptions
  readonly #names: readonly string[]
  readonly #reader: ToolCallReader
  #held: string[] = []
  #start = ""
  #state: ToolStreamState = "undecided"

  constructor(tools: readonly Tool[] = [], options: ToolCallOptions = {}) {
    this.#tools = tools
    this.#options = options
    this.#reader = new ToolCallReader(new Map(tools.map(toolFunction).map((tool) => [tool.name, tool])))
    this.#names = [
      ...tools.map((tool) => toolFunction(tool).name),
      ...builtinSearches.map((name) => `${name}.call`),
    ]
  }

  get state(): ToolStreamState {
    return this.#state
  }

  /** Takes the next piece of the turn; returns the text that can be shown now. */
  push(piece: string): string {
    if (this.#state === "text") return piece
    this.#held.push(piece)
    if (this.#state === "call") {
      this.#reader.push(piece)
      return ""
    }
    this.#start += piece
    this.#state = stateOf(this.#start, this.#names)
    if (this.#state === "undecided" && this.#start.length > maxUndecided) this.#state = "text"
    if (this.#state === "call") this.#reader.push(this.#start)
    return this.#state === "text" ? this.#release() : ""
  }

  /**
   * What came of the calls since the last time, after `finish` all of it. A call of a known tool is passed on while it is
   * written, with its slips mended as in the end; if the turn then cannot be read as calls, its last parts are missing
   * and `finish` has no such call.
   */
  deltas(): ToolCallDelta[] {
    return this.#reader.take()
  }

  /** Ends the turn: its calls, the text not yet returned by `push`, and what was wrong with the calls. */
  finish(): ParsedTurn {
    const state = this.#state
    const text = this.#release()
    this.#state = "text"
    // a short turn can end before it was decided: `f()` is complete where the stream still waited
    if (state === "text") return { calls: [], text, problems: [] }
    const turn = parseToolCalls(text, this.#tools, this.#options)
    this.#reader.finish(turn.calls)
    return turn
  }

  #release(): string {
    const text = this.#held.join("")
    this.#held = []
    this.#start = ""
    return text
  }
}

/** What a turn that begins with `start` is. */
function stateOf(start: string, names: readonly string[]): ToolStreamState {
  let text = start.trimStart()
  if (text === "" || (pythonTag.startsWith(text) && text !== pythonTag)) return "undecided"
  if (text.startsWith(pythonTag)) return "call"
  if ("```".startsWith(text)) return "undecided"
  if (text.startsWith("```")) {
    const info = /^```[\w+-]{0,32}[ \t]*(?:\r?\n|(?=[[{]))/.exec(text)?.[0]
    if (info === undefined) return /^```[\w+-]{0,32}[ \t]*\r?$/.test(text) ? "undecided" : "text"
    text = text.slice(info.length).trimStart()
    if (text === "") return "undecided"
  }
  if (text[0] === "{") return objectState(text, names)
  if (text[0] === "[") {
    const inner = text.slice(1).trimStart()
    if (inner === "") return "undecided"
    if (inner[0] === "{") return objectState(inner, names)
    const call = /^[\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_-]*)*/u.exec(inner)?.[0]
    if (call === undefined) return "text"
    if (call === inner) return "undecided"
    return inner[call.length] === "(" ? "call" : "text"
  }
  // without brackets only the name of a tool that was offered makes a call
  const open = text.indexOf("(")
  if (open >= 0) return names.includes(text.slice(0, open)) ? "call" : "text"
  return names.some((name) => name.startsWith(text)) ? "undecided" : "text"
}

const callKeys = ["name", "parameters", "arguments", "type", "function", "id"]

/** What an object at the start is: a call once it names a tool or has parameters beside a name. */
function objectState(text: string, names: readonly string[]): ToolStreamState {
  let at = 1
  let named = false
  for (;;) {
    const key = /^[\s,]*(["'])([^"'\\]*)(\1?)/.exec(text.slice(at))
    if (key === null) return /^[\s,]*$/.test(text.slice(at)) ? "undecided" : "text"
    const [whole, , word, close] = key
    const ended = close !== ""
    if (!ended && at + whole.length < text.length) return "text"
    if (!ended) return callKeys.some((known) => known.startsWith(word)) ? "undecided" : "text"
    if (!callKeys.includes(word)) return "text"
    at += whole.length
    const colon = /^\s*:\s*/.exec(text.slice(at))?.[0]
    if (colon === undefined) return text.slice(at).trim() === "" ? "undecided" : "text"
    at += colon.length
    if (at === text.length) return "undecided"
    if (word === "parameters" || word === "arguments") return named || text[at] === "{" ? "call" : "text"
    if (word === "function" && text[at] === "{") return "call"
    const value = /^(["'])([^"'\\]*)(\1?)/.exec(text.slice(at))
    if (value === null) return "text"
    if (value[3] === "") return at + value[0].length === text.length ? "undecided" : "text"
    if (word === "type" && value[2] !== "function") return "text"
    if (word === "name" || word === "function") {
      if (names.includes(value[2])) return "call"
      named = true
    }
    at += value[0].length
  }
}
