// Turns a conversation into prompt parts with a template that the model brings. Special tokens that the template
// writes become special tokens; the same texts inside messages, tools and variables stay text.
import { InvalidOptionError } from "../errors/index.js"
import { renderTemplate } from "./jinja.js"
import type { TemplateLimits } from "./jinja-interpreter.js"
import { dateText, type Llama3Options } from "./llama3.js"
import type { CheckedMessage, Json, Tool } from "./messages.js"
import { type Part, strip } from "./parts.js"

export interface TemplateOptions extends Llama3Options {
  /** Further variables of the template; treated as untrusted text. */
  templateVariables?: Readonly<Record<string, Json>>
  /** Texts of the tokens that the template knows as `bos_token` and `eos_token`. */
  bosToken?: string
  eosToken?: string
  limits?: TemplateLimits
}

/**
 * Keeps texts from holding or completing a special token. A private-use character that occurs nowhere in the input
 * is put inside the first two and the last two characters that special tokens have (`<|` and `|>`), and at an end
 * of the text that could begin or complete one. White space is left as it is, so a template may still trim.
 * After rendering, special tokens are cut out first, and the character is taken away last.
 */
class Guard {
  readonly #mark: string
  readonly #inside: RegExp
  readonly #atEnds: RegExp

  constructor(specials: readonly string[], seen: readonly string[]) {
    const used = new Set(seen.flatMap((text) => text.match(/[\ue000-\uf8ff]/g) ?? []))
    for (const escaped of seen.flatMap((text) => text.match(/\\u[ef][\da-f]{3}/gi) ?? []))
      used.add(String.fromCharCode(Number.parseInt(escaped.slice(2), 16)))
    let code = 0xe000
    while (used.has(String.fromCharCode(code))) code++
    if (code > 0xf8ff)
      throw new InvalidOptionError(
        "the conversation uses every private-use character of Unicode: leave some out",
      )
    this.#mark = String.fromCharCode(code)
    const escape = (text: string) => text.replace(/[^\p{L}\p{N}\s]/gu, "\\$&")
    const pairs = new Set(specials.flatMap((text) => [text.slice(0, 2), text.slice(-2)]))
    const firsts = new Set(specials.map((text) => escape(text[0])))
    const lasts = new Set(specials.map((text) => escape(text.at(-1)!)))
    const either = (choices: Iterable<string>) => [...choices].join("|") || "(?!)"
    this.#inside = new RegExp(
      either([...pairs].map((pair) => `${escape(pair[0])}(?=\\s*${escape(pair[1])})`)),
      "gi",
    )
    this.#atEnds = new RegExp(`^\\s*(?=${either(lasts)})|(?:${either(firsts)})(?=\\s*$)`, "g")
  }

  text(text: string): string {
    return text.replace(this.#inside, `$&${this.#mark}`).replace(this.#atEnds, `$&${this.#mark}`)
  }

  /** Every text inside a value, its keys too. */
  value(value: unknown): unknown {
    if (typeof value === "string") return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.value(item))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.value(item)]))
  }

  /** Takes the mark away, also where a template has written it as a JSON escape. */
  clean(text: string): string {
    const escaped = `\\u${this.#mark.charCodeAt(0).toString(16)}`
    return text.replaceAll(this.#mark, "").replaceAll(escaped, "")
  }
}

/** Every text inside a value. */
function* textsOf(value: unknown): Generator<string> {
  if (typeof value === "string") yield value
  else if (Array.isArray(value)) for (const item of value) yield* textsOf(item)
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) {
      yield key
      yield* textsOf(item)
    }
}

interface TrieNode {
  readonly next: Map<string, TrieNode>
  ends: boolean
}

/** Cuts a text at the special tokens in it, the longest where several begin at one place. */
export function splitSpecials(text: string, specials: readonly string[]): Part[] {
  const root: TrieNode = { next: new Map(), ends: false }
  for (const special of specials) {
    let node = root
    for (let i = 0; i < special.length; i++) {
      const child = node.next.get(special[i]) ?? { next: new Map(), ends: false }
      node.next.set(special[i], child)
      node = child
    }
    node.ends = true
  }
  const parts: Part[] = []
  let from = 0
  for (let at = 0; at < text.length; ) {
    let end = 0
    let node = root.next.get(text[at])
    for (let i = at + 1; node !== undefined; node = node.next.get(text[i++])) if (node.ends) end = i
    if (end === 0) {
      at++
      continue
    }
    if (at > from) parts.push({ text: text.slice(from, at) })
    parts.push({ special: text.slice(at, end) })
    from = at = end
  }
  if (from < text.length) parts.push({ text: text.slice(from) })
  return parts
}

/** A message as templates know it: the names of Hugging Face's chat templates. */
function templateMessage(message: CheckedMessage): Record<string, unknown> {
  const { role, content, toolCalls, name, toolCallId } = message
  const calls = toolCalls.map((call) => ({
    ...(call.id === "" ? {} : { id: call.id }),
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  }))
  return {
    role,
    content,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(name === undefined ? {} : { name }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  }
}

/**
 * Renders the conversation with the template and cuts the result into parts. `specials` are the texts of the
 * vocabulary's special tokens. A start token that stands several times at the beginning is kept once.
 * @throws InvalidFileError, InvalidOptionError as `renderTemplate` does.
 */
export function templateParts(
  template: string,
  messages: readonly CheckedMessage[],
  tools: readonly Tool[],
  specials: readonly string[],
  options: TemplateOptions = {},
): Part[] {
  const { date, bosToken = "<|begin_of_text|>", eosToken = "<|eot_id|>", templateVariables = {} } = options
  // a special token of one character cannot be guarded, nor told from text
  const guarded = specials.filter((special) => special.length > 1)
  const shown = messages.map(templateMessage)
  const guard = new Guard(guarded, [template, ...textsOf([shown, tools, templateVariables])])
  const variables = {
    ...(options.toolsIn === undefined ? {} : { tools_in_user_message: options.toolsIn === "user" }),
    ...(options.builtinTools === undefined ? {} : { builtin_tools: options.builtinTools }),
    ...(date === undefined ? {} : { date_string: dateText(date) }),
    ...(options.dateLines === undefined ? {} : { date_lines: options.dateLines }),
    ...(guard.value(templateVariables) as Record<string, unknown>),
    messages: shown.map((message) => ({ ...(guard.value(message) as object), role: message.role })),
    tools: tools.length === 0 ? null : guard.value(tools),
    add_generation_prompt: options.continueLast !== true && options.addGenerationPrompt !== false,
    bos_token: bosToken,
    eos_token: eosToken,
  }
  const text = renderTemplate(template, variables, options.limits, date instanceof Date ? date : undefined)
  const split = splitSpecials(
    options.continueLast === true ? cutAfterLast(text, guard, messages) : text,
    guarded,
  )
  const parts = split.map((part) => ("special" in part ? part : { text: guard.clean(part.text) }))
  return onceAtStart(parts, bosToken)
}

/** The rendered text up to the end of the last message, so that the model goes on with it. */
function cutAfterLast(text: string, guard: Guard, messages: readonly CheckedMessage[]): string {
  const last = messages.at(-1)
  const content =
    last?.role === "assistant" && last.toolCalls.length === 0 ? strip(last.content as string) : ""
  const at = content === "" ? -1 : text.lastIndexOf(strip(guard.text(content)))
  if (at < 0)
    throw new InvalidOptionError(
      "continueLast needs a last message of the assistant whose text the template writes: add it, or leave it out",
    )
  return text.slice(0, at + strip(guard.text(content)).length)
}

function onceAtStart(parts: readonly Part[], bosToken: string): Part[] {
  const isStart = (part: Part | undefined) =>
    part !== undefined && "special" in part && part.special === bosToken
  let from = 0
  while (isStart(parts[from]) && isStart(parts[from + 1])) from++
  return parts.slice(from)
}
