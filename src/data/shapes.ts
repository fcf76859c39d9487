// The shapes in which people keep conversations and preferences as JSON, brought into ours: messages (OpenAI),
// prompt/completion and prompt/chosen/rejected (TRL), conversations (ShareGPT), instruction/input/output (Alpaca).
import * as z from "zod"
import { checkMessages, checkTools, type Message, type Tool } from "../chat/index.js"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { isRecord } from "../formats/json.js"
import type { ChatExample, Place, PreferenceExample, PromptExample } from "./example.js"

type Fields = Readonly<Record<string, unknown>>

const shapes =
  '{"messages": [...]}, {"prompt", "completion"}, {"conversations": [{"from", "value"}]} or {"instruction", "input", "output"}'
const preferenceShapes =
  '{"prompt", "chosen", "rejected"}, {"chosen": [...], "rejected": [...]}, {"conversations", "chosen", "rejected"} or {"instruction", "chosen", "rejected"}'

/** A conversation with at least one turn of the assistant. InvalidFileError, with the place, for anything else. */
export function chatExample(fields: Fields, place: Place): ChatExample {
  return at(place, () => {
    const prompt = promptOf(fields)
    const answer = fields.completion ?? fields.response ?? fields.output ?? fields.answer
    const messages = [...prompt, ...(answer == null ? [] : turnsOf(answer, "assistant"))]
    if (messages.length === 0) throw new InvalidOptionError(`no conversation found, expected ${shapes}`)
    checkMessages(messages)
    if (!messages.some(({ role }) => role === "assistant"))
      throw new InvalidOptionError("there is no turn of the assistant to learn from")
    return { messages, tools: toolsOf(fields), place }
  })
}

/** A prompt with two answers. InvalidFileError, with the place, for anything else. */
export function preferenceExample(fields: Fields, place: Place): PreferenceExample {
  return at(place, () => {
    if (fields.chosen == null || fields.rejected == null)
      throw new InvalidOptionError(`no chosen and rejected answer found, expected ${preferenceShapes}`)
    let messages = promptOf(fields)
    let [chosen, rejected] = [turnsOf(fields.chosen, "assistant"), turnsOf(fields.rejected, "assistant")]
    if (messages.length === 0) messages = chosen.slice(0, sharedTurns(chosen, rejected))
    // Many data sets repeat the prompt in both answers.
    const repeats = startsWith(chosen, messages)
    if (repeats !== startsWith(rejected, messages))
      throw new InvalidOptionError("chosen and rejected do not answer the same prompt")
    if (repeats) {
      chosen = chosen.slice(messages.length)
      rejected = rejected.slice(messages.length)
    }
    if (messages.length === 0) throw new InvalidOptionError("there is no prompt before the answers")
    for (const [name, turns] of Object.entries({ chosen, rejected })) {
      checkMessages([...messages, ...turns])
      if (turns.at(-1)?.role !== "assistant")
        throw new InvalidOptionError(`${name} does not end with a turn of the assistant`)
    }
    return { messages, tools: toolsOf(fields), chosen, rejected, place }
  })
}

/** A prompt without an answer; turns of the assistant at its end are left out. InvalidFileError for anything else. */
export function promptExample(fields: Fields, place: Place): PromptExample {
  return at(place, () => {
    const turns = promptOf(fields)
    const messages = turns.slice(0, turns.findLastIndex(({ role }) => role !== "assistant") + 1)
    if (messages.length === 0) throw new InvalidOptionError(`no prompt found, expected ${shapes}`)
    checkMessages(messages)
    return { messages, tools: toolsOf(fields), fields, place }
  })
}

/** Errors of a shape as errors of the file. */
function at<T>(place: Place, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    throw new InvalidFileError(`${place.file}:${place.line}: ${error.message}`, { cause: error })
  }
}

/** What goes before the answer, in whichever shape it is. */
function promptOf(fields: Fields): Message[] {
  const { messages, conversations, conversation, prompt, instruction, question } = fields
  const turns = messages ?? conversations ?? conversation ?? prompt
  const list = turns == null ? [] : turnsOf(turns, "user")
  const asked = instruction ?? question
  if (turns == null && asked != null) {
    const history = historySchema.safeParse(fields.history ?? [])
    if (!history.success) return refuse("history is not a list of pairs [question, answer]")
    for (const [first, second] of history.data)
      list.push({ role: "user", content: first }, { role: "assistant", content: second })
    const input = textOf(fields.input ?? "", "input")
    list.push({ role: "user", content: textOf(asked, "instruction") + (input === "" ? "" : `\n\n${input}`) })
  }
  if (typeof fields.system === "string" && fields.system !== "" && list[0]?.role !== "system")
    list.unshift({ role: "system", content: fields.system })
  return list
}

const historySchema = z.array(z.tuple([z.string(), z.string()]))

function refuse(message: string): never {
  throw new InvalidOptionError(message)
}

const textOf = (value: unknown, name: string): string =>
  typeof value === "string" ? value : refuse(`${name} is not a text`)

/** A text as one turn of the role, a turn, or a list of turns. */
function turnsOf(value: unknown, role: "user" | "assistant"): Message[] {
  if (typeof value === "string") return [{ role, content: value }]
  if (isRecord(value)) return [turnOf(value, 0)]
  if (!Array.isArray(value)) return refuse(`expected a text or a list of messages, got ${typeof value}`)
  return value.map((turn, index) =>
    isRecord(turn) ? turnOf(turn, index) : refuse(`messages[${index}] is not an object`),
  )
}

/** Names that data sets have for our roles. */
const roles: Readonly<Record<string, Message["role"] | "call">> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  bard: "assistant",
  model: "assistant",
  tool: "tool",
  ipython: "ipython",
  function: "tool",
  observation: "tool",
  function_response: "tool",
  function_call: "call",
  "function-call": "call",
}

function turnOf(turn: Fields, index: number): Message {
  const name = turn.role ?? turn.from
  const content = turn.content ?? turn.value ?? turn.text
  const role = typeof name === "string" && Object.hasOwn(roles, name) ? roles[name] : undefined
  if (role === undefined)
    return refuse(
      `messages[${index}]: the role ${JSON.stringify(name)?.slice(0, 60)} is unknown, expected system, user, assistant or tool`,
    )
  const place = `messages[${index}]`
  if (role === "call") return { role: "assistant", toolCalls: callsOf(parsed(content, place), place) }
  if (role === "assistant") {
    const calls = turn.tool_calls ?? turn.toolCalls ?? turn.function_call
    const toolCalls = calls == null ? undefined : callsOf(calls, place)
    return { role, content: content as string, ...(toolCalls && toolCalls.length > 0 ? { toolCalls } : {}) }
  }
  if (role === "system" || role === "user") return { role, content: content as string }
  const toolCallId = turn.tool_call_id ?? turn.toolCallId
  return {
    role,
    content: (content ?? null) as string,
    ...(typeof turn.name === "string" ? { name: turn.name } : {}),
    ...(typeof toolCallId === "string" ? { toolCallId } : {}),
  }
}

type Calls = NonNullable<Extract<Message, { role: "assistant" }>["toolCalls"]>

/** One call or several, flat or wrapped in `function`, with arguments as an object or as JSON text. */
function callsOf(value: unknown, place: string): Calls {
  return (Array.isArray(value) ? value : [value]).map((call: unknown) => {
    const outer = isRecord(call) ? call : refuse(`${place}: a tool call is not an object`)
    const inner = isRecord(outer.function) ? outer.function : outer
    const given = parsed(inner.arguments ?? inner.parameters ?? {}, place)
    if (typeof inner.name !== "string") return refuse(`${place}: a tool call has no name`)
    if (!isRecord(given))
      return refuse(`${place}: the arguments of ${inner.name.slice(0, 60)} are not an object`)
    return { name: inner.name, arguments: given, ...(typeof outer.id === "string" ? { id: outer.id } : {}) }
  })
}

function parsed(value: unknown, place: string): unknown {
  if (typeof value !== "string") return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    return refuse(`${place}: ${JSON.stringify(value.slice(0, 60))} is not JSON`)
  }
}

/** Tools as a list, or as the JSON text of one, as data sets in tables have them. */
function toolsOf({ tools }: Fields): readonly Tool[] {
  if (tools == null || tools === "") return []
  return checkTools(parsed(tools, "tools") as Tool[])
}

const same = (a: Message, b: Message) => JSON.stringify(a) === JSON.stringify(b)

const startsWith = (turns: readonly Message[], start: readonly Message[]): boolean =>
  turns.length > start.length && start.every((turn, i) => same(turn, turns[i]))

/** Turns at the start that both have, the last one of each aside. */
function sharedTurns(a: readonly Message[], b: readonly Message[]): number {
  let shared = 0
  while (shared < Math.min(a.length, b.length) - 1 && same(a[shared], b[shared])) shared++
  return shared
}
