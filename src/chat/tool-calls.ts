// Finds the tool calls in a finished turn of the model, in every form that Llama models write them.
// Knows the tools' names and schemas, not how they are run; a turn still being written is tool-stream.ts.
import { builtinSearches, type CallArguments, readArguments, withNames } from "./call-arguments.js"
import { LiteralError, LiteralReader } from "./literal.js"
import type { Tool, ToolCall, ToolFunction } from "./messages.js"
import { isObject, toolFunction } from "./messages.js"
import { checkArguments, literalOf } from "./tool-arguments.js"

/** Something about the calls of a turn that the caller should know, perhaps tell the model. */
export interface ToolProblem {
  readonly kind: "unknown_tool" | "bad_arguments" | "malformed"
  readonly message: string
  /** Index into `calls`; absent where no call could be read. */
  readonly call?: number
}

export interface ParsedTurn {
  readonly calls: ToolCall[]
  /** What of the turn is no call: all of it, or what follows the calls. */
  readonly text: string
  readonly problems: ToolProblem[]
}

export interface ToolCallOptions {
  /** Names the calls that bring no id of their own. Default `call_0`, `call_1`, ... */
  id?: (index: number) => string
}

/** The tag that stands before code and, with some models, before any call. */
export const pythonTag = "<|python_tag|>"
/** More calls than this in one turn are left as text. */
export const maxCalls = 256

interface RawCall extends CallArguments {
  readonly name: string
  readonly id?: string
}

/**
 * Reads the tool calls of a turn. Forms, all anchored at the start of the turn:
 * `[f(a='x'), g()]`; `f(a='x')` where f is one of the tools; `{"name", "parameters" | "arguments"}`, bare, in a
 * list, or wrapped as `{"type": "function", "function": ...}`; `brave_search.call(query="...")`; several joined by
 * `;`; any of these behind `<|python_tag|>` or inside a code fence. Other text behind the tag is a call of
 * `code_interpreter` with `code`. Arguments given by position get the names of the tool's schema.
 *
 * A call with words after it counts only if every name in it is a known tool. Calls of unknown tools and
 * arguments against the schema are returned and reported in `problems`. Time is linear in the text.
 */
export function parseToolCalls(
  text: string,
  tools: readonly Tool[] = [],
  options: ToolCallOptions = {},
): ParsedTurn {
  const known = new Map(tools.map((tool) => [toolFunction(tool).name, toolFunction(tool)]))
  const isKnown = (name: string) => known.has(name) || builtinSearches.includes(name)
  const turn = new TurnReader(text, isKnown)
  let raw: RawCall[]
  let rest: string
  const start = turn.start()
  try {
    raw = turn.calls()
    rest = turn.rest()
    if (rest.trim() !== "" && !start.tagged && !raw.every((call) => isKnown(call.name)))
      return { calls: [], text, problems: [] }
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error
    const code = turn.code()
    if (start.tagged && code !== undefined)
      raw = [{ name: "code_interpreter", named: { code }, positional: [] }]
    else {
      const problems: ToolProblem[] =
        start.tagged || turn.namesTool
          ? [{ kind: "malformed", message: `the turn begins like a tool call, but ${error.message}` }]
          : []
      return { calls: [], text, problems }
    }
    rest = ""
  }
  return finished(raw, rest, known, options)
}

function finished(
  raw: readonly RawCall[],
  text: string,
  known: ReadonlyMap<string, ToolFunction>,
  options: ToolCallOptions,
): ParsedTurn {
  const problems: ToolProblem[] = []
  const calls = raw.map((call, index): ToolCall => {
    const tool = known.get(call.name)
    const complaints: string[] = []
    const given = withNames(call.name, call, tool, complaints)
    if (tool === undefined)
      problems.push({ kind: "unknown_tool", call: index, message: `there is no tool named ${call.name}` })
    const args = tool === undefined ? given : checkArguments(given, tool, complaints)
    for (const message of complaints.slice(0, 20))
      problems.push({ kind: "bad_arguments", call: index, message: `${call.name}: ${message}` })
    return { id: call.id ?? (options.id ?? ((i) => `call_${i}`))(index), name: call.name, arguments: args }
  })
  return { calls, text, problems }
}

/** A turn with a place in it. */
class TurnReader {
  readonly #reader: LiteralReader
  readonly #isKnown: (name: string) => boolean
  #afterTag = 0
  #fenced = false
  /** Whether the name of a known tool was read where a call begins. */
  namesTool = false

  constructor(text: string, isKnown: (name: string) => boolean) {
    this.#reader = new LiteralReader(text)
    this.#isKnown = isKnown
  }

  /** Skips white space, the tag and an opening fence. */
  start(): { tagged: boolean } {
    const reader: LiteralReader = this.#reader
    reader.skipSpace()
    const tagged = reader.take(pythonTag)
    this.#afterTag = reader.at
    reader.skipSpace()
    if (reader.match(/```[\w+-]{0,32}[ \t]*\r?\n?/y) !== undefined) this.#fenced = true
    return { tagged }
  }

  /** What stands behind the tag as code, unless it looks like a call gone wrong. */
  code(): string | undefined {
    const code = this.#reader.text.slice(this.#afterTag).trim()
    const inner = /^```[\w+-]{0,32}[ \t]*\r?\n([^]*)\n```$/.exec(code)?.[1] ?? code
    return inner === "" || this.namesTool || /^(?:\{\s*"|\[\s*\{)/.test(inner) ? undefined : inner
  }

  /** All calls from here on. At least one, or LiteralError. */
  calls(): RawCall[] {
    const reader: LiteralReader = this.#reader
    const calls = this.#group()
    for (;;) {
      const end = reader.at
      reader.skipSpace()
      const separated = reader.take(";")
      reader.skipSpace()
      const next = reader.text[reader.at]
      // a second group needs a semicolon before it, but models also put one object or list right under another
      if (next === undefined || !(separated || next === "{" || next === "[")) {
        if (!separated) reader.at = end
        return calls
      }
      try {
        calls.push(...this.#group())
      } catch (error) {
        if (!(error instanceof LiteralError)) throw error
        reader.at = end
        return calls
      }
      if (calls.length > maxCalls) reader.fail(`at most ${maxCalls} calls`)
    }
  }

  /** What follows the calls, without the fence that closes them. */
  rest(): string {
    const reader: LiteralReader = this.#reader
    if (this.#fenced) {
      reader.skipSpace()
      if (!reader.take("```") && reader.at < reader.text.length) reader.fail("the end of the code fence")
    }
    const rest = reader.text.slice(reader.at)
    return rest.trim() === "" ? "" : rest
  }

  /** A list of calls, or one call. */
  #group(): RawCall[] {
    const reader: LiteralReader = this.#reader
    reader.skipSpace()
    if (!reader.take("[")) return [this.#one(false)]
    const calls: RawCall[] = []
    for (;;) {
      reader.skipSpace()
      if (calls.length > 0 && reader.take("]")) return calls
      calls.push(this.#one(true))
      if (calls.length > maxCalls) reader.fail(`at most ${maxCalls} calls`)
      reader.skipSpace()
      if (!reader.take(",") && !reader.take(";") && reader.text[reader.at] !== "]")
        reader.fail("a comma or ]")
    }
  }

  #one(inList: boolean): RawCall {
    const reader: LiteralReader = this.#reader
    reader.skipSpace()
    if (reader.text[reader.at] === "{") return this.#object(reader.value())
    let name = reader.match(/[\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_-]+)*/uy)
    if (name === undefined) reader.fail("a call")
    if (name.endsWith(".call") && builtinSearches.includes(name.slice(0, -5))) name = name.slice(0, -5)
    else if (!inList && !this.#isKnown(name)) reader.fail("the name of a tool")
    if (!reader.take("(")) reader.fail("an opening parenthesis")
    this.namesTool ||= this.#isKnown(name)
    return { name, ...readArguments(reader) }
  }

  /** The call that a JSON object stands for; `parameters` may be left out only by a known tool. */
  #object(value: unknown): RawCall {
    const reader: LiteralReader = this.#reader
    if (!isObject(value)) reader.fail("an object")
    const wrapped = isObject(value.function) ? value.function : value
    const name = wrapped.name ?? (typeof value.function === "string" ? value.function : undefined)
    if (typeof name !== "string" || name === "" || name.length > 128) reader.fail('an object with a "name"')
    const key = Object.keys(wrapped).find((key) => key === "parameters" || key === "arguments")
    let given: unknown = key === undefined ? {} : wrapped[key]
    if (typeof given === "string") given = literalOf(given)
    given ??= {}
    if (key === undefined && !this.#isKnown(name)) reader.fail('an object with "parameters"')
    this.namesTool ||= this.#isKnown(name)
    if (!isObject(given)) reader.fail("parameters that are an object")
    return { name, named: given, positional: [], id: typeof value.id === "string" ? value.id : undefined }
  }
}
