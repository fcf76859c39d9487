// Reads tool calls while they are being written, in every form that tool-calls.ts reads, and passes on what is certain:
// the name of a known tool once it stands there, then its arguments piece by piece as the text of a JSON object.
// Whatever else a turn may hold is left to the reading of the whole turn.
import { builtinSearches, readArguments, withNames } from "./call-arguments.js"
import { GrowingText, UnexpectedText, type Waiting } from "./growing-text.js"
import { LiteralError, LiteralReader } from "./literal.js"
import { LiteralWriter, propertyOf } from "./literal-writer.js"
import { isObject, type ToolCall, type ToolFunction } from "./messages.js"
import { checkArguments, literalOf } from "./tool-arguments.js"
import { maxCalls, pythonTag } from "./tool-calls.js"

/** A part of a tool call. */
export interface ToolCallDelta {
  /** Which call of the turn. */
  readonly index: number
  /** Set in the first part of a call, and only there. */
  readonly name?: string
  /** What the text of the arguments goes on with; all parts joined are a JSON object once the call is whole. */
  readonly arguments: string
}

/** What parseToolCalls takes for the name of a call. */
const callName = /^[\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_-]+)*$/u
/** A longer name is none. */
const longestName = 256

export class ToolCallReader {
  readonly #tools: ReadonlyMap<string, ToolFunction>
  readonly #text = new GrowingText()
  readonly #literals = new LiteralWriter(this.#text, (json) => this.#write(json))
  readonly #turn: Waiting<void>
  #done = false
  #begun = 0
  #deltas: ToolCallDelta[] = []

  constructor(tools: ReadonlyMap<string, ToolFunction>) {
    this.#tools = tools
    this.#turn = this.#read()
  }

  push(piece: string): void {
    if (this.#done) return
    this.#text.add(piece)
    this.#goOn()
  }

  /** No more comes; `calls` are those of the whole turn, of which the ones not begun yet are passed on at once. */
  finish(calls: readonly ToolCall[]): void {
    this.#text.end()
    this.#goOn()
    for (const { name, arguments: values } of calls.slice(this.#begun)) {
      this.#begin(name)
      this.#write(JSON.stringify(values))
    }
  }

  /** The parts since the last time. */
  take(): ToolCallDelta[] {
    const deltas = this.#deltas
    this.#deltas = []
    return deltas
  }

  #goOn(): void {
    if (!this.#done) this.#done = this.#turn.next().done ?? false
  }

  #begin(name: string): void {
    this.#deltas.push({ index: this.#begun++, name, arguments: "" })
  }

  #write(json: string): void {
    const last = this.#deltas.at(-1)
    if (last && last.name === undefined)
      this.#deltas[this.#deltas.length - 1] = { ...last, arguments: last.arguments + json }
    else this.#deltas.push({ index: this.#begun - 1, arguments: json })
  }

  *#read(): Waiting<void> {
    const text = this.#text
    try {
      yield* text.skipSpace()
      yield* text.take(pythonTag)
      yield* text.skipSpace()
      if (yield* text.take("```")) while ((yield* text.run(/[\w+-]+/y)) !== "");
      for (;;) {
        yield* this.#group()
        yield* text.skipSpace()
        const separated = yield* text.take(";")
        yield* text.skipSpace()
        const next = yield* text.next()
        if (next === "" || !(separated || next === "{" || next === "[")) return
      }
    } catch (error) {
      if (!(error instanceof UnexpectedText || error instanceof LiteralError)) throw error
    }
  }

  /** A list of calls, or one call. */
  *#group(): Waiting<void> {
    const text = this.#text
    yield* text.skipSpace()
    if (!(yield* text.take("["))) return yield* this.#call()
    for (let first = true; ; first = false) {
      yield* text.skipSpace()
      if (!first && (yield* text.take("]"))) return
      yield* this.#call()
      yield* text.skipSpace()
      if ((yield* text.take(",")) || (yield* text.take(";"))) continue
      if ((yield* text.next()) !== "]") throw new UnexpectedText()
    }
  }

  *#call(): Waiting<void> {
    const text = this.#text
    if (this.#begun === maxCalls) throw new UnexpectedText()
    yield* text.skipSpace()
    if ((yield* text.next()) === "{") {
      yield* this.#object()
      return
    }
    let name = ""
    while (!(yield* text.take("("))) {
      const part = yield* text.run(/[\p{L}\p{N}_.-]+/uy)
      name += part
      if (part === "" || name.length > longestName) throw new UnexpectedText()
    }
    if (name.endsWith(".call") && builtinSearches.includes(name.slice(0, -5))) name = name.slice(0, -5)
    if (!callName.test(name)) throw new UnexpectedText()
    yield* this.#pythonArguments(name, this.#known(name))
  }

  /** Begins a call that has to be one of a known tool. */
  #known(name: string): ToolFunction | undefined {
    const tool = this.#tools.get(name)
    if (tool === undefined && !builtinSearches.includes(name)) throw new UnexpectedText()
    this.#begin(name)
    return tool
  }

  *#pythonArguments(name: string, tool: ToolFunction | undefined): Waiting<void> {
    const text = this.#text
    const written = new Set<string>()
    for (;;) {
      yield* text.skipSpace()
      if (yield* text.take(")")) break
      const keyword = yield* this.#keyword()
      if (keyword === undefined) {
        // names of arguments by position depend on all that follow
        const rest = readArguments(new LiteralReader(`${yield* text.upTo(")")})`))
        const taken = (name: string) => written.has(name) || Object.hasOwn(rest.named, name)
        const given = withNames(name, rest, tool, [], taken)
        for (const [key, value] of Object.entries(tool ? checkArguments(given, tool, []) : given)) {
          this.#literals.key(key, written.size === 0)
          this.#write(JSON.stringify(value))
          written.add(key)
        }
        continue
      }
      this.#literals.key(keyword, written.size === 0)
      written.add(keyword)
      yield* this.#literals.value(propertyOf(tool?.parameters, keyword), 0)
      yield* text.skipSpace()
      if (!(yield* text.take(",")) && (yield* text.next()) !== ")") throw new UnexpectedText()
    }
    this.#write(written.size === 0 ? "{}" : "}")
  }

  /** The name before an equals sign, which is read too; undefined for an argument that has none. */
  *#keyword(): Waiting<string | undefined> {
    const text = this.#text
    let ahead = ""
    for (let count = 1; count <= longestName; count++) {
      ahead = yield* text.ahead(count)
      if (ahead.length < count || !/^[\p{L}_][\p{L}\p{N}_]*\s{0,16}=?$/u.test(ahead)) break
    }
    const keyword = /^([\p{L}_][\p{L}\p{N}_]*)\s{0,16}=[^=]$/u.exec(ahead)
    if (keyword === null) return undefined
    text.skip(ahead.length - 1)
    return keyword[1]
  }

  /** A call as an object with a name and parameters, perhaps wrapped in another one; the brace stands here. */
  *#object(): Waiting<void> {
    const text = this.#text
    const begunBefore = this.#begun
    let name: string | undefined
    let parameters: string | undefined
    text.skip(1)
    for (;;) {
      yield* text.skipSpace()
      if (yield* text.take("}")) break
      const key = literalOf(yield* text.upTo(":,}"))
      if (!(yield* text.take(":"))) throw new UnexpectedText()
      yield* text.skipSpace()
      const opens = (yield* text.next()) === "{" && this.#begun === begunBefore && parameters === undefined
      const isParameters = key === "parameters" || key === "arguments"
      if (opens && key === "function") yield* this.#object()
      else if (opens && isParameters && name !== undefined) {
        const tool = this.#known(name)
        yield* this.#literals.dictionary((key) => propertyOf(tool?.parameters, key), -1)
      } else {
        const literal = yield* text.upTo(",}")
        const value = key === "name" || key === "function" ? literalOf(literal) : undefined
        if (typeof value === "string" && (key === "name" || name === undefined)) name = value
        if (isParameters) parameters ??= literal
      }
      yield* text.skipSpace()
      if (!(yield* text.take(",")) && (yield* text.next()) !== "}") throw new UnexpectedText()
    }
    if (this.#begun === begunBefore) this.#whole(name, parameters)
  }

  /** A call whose parameters came before its name, stand as a text, or are missing. */
  #whole(name: string | undefined, parameters = "null"): void {
    const value = literalOf(parameters)
    const given = (typeof value === "string" ? literalOf(value) : value) ?? {}
    if (name === undefined || value === undefined || !isObject(given)) throw new UnexpectedText()
    const tool = this.#known(name)
    this.#write(JSON.stringify(tool ? checkArguments(given, tool, []) : given))
  }
}
