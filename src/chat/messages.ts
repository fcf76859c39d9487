// The conversation as a caller writes it: messages, tools and tool calls, checked at the boundary.
// Knows nothing of tokens or of any prompt format.
import * as z from "zod"
import { InvalidOptionError } from "../errors/index.js"

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** One piece of a message's content, as OpenAI's API writes it. Only text exists here. */
export interface TextPart {
  readonly type: "text"
  readonly text: string
}

/** What a model asks to be run: a function's name and its arguments by name. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: Record<string, unknown>
}

/** A turn of the system or of the user. */
export interface TextMessage {
  readonly role: "system" | "user"
  readonly content: string | readonly TextPart[]
}

/** A turn of the model: text, or calls of tools. */
export interface AssistantMessage {
  readonly role: "assistant"
  readonly content?: string | readonly TextPart[] | null
  readonly toolCalls?: readonly (Omit<ToolCall, "id"> & { readonly id?: string })[]
}

/** What a tool answered; `ipython` is the family's own name of the role. The content may be any JSON value. */
export interface ToolMessage {
  readonly role: "tool" | "ipython"
  readonly content: Json | readonly TextPart[]
  readonly name?: string
  readonly toolCallId?: string
}

/** One turn of a conversation. */
export type Message = TextMessage | AssistantMessage | ToolMessage

/** A function that the model may call; `parameters` is a JSON schema of an object. */
export interface ToolFunction {
  readonly name: string
  readonly description?: string
  readonly parameters?: Readonly<Record<string, unknown>>
}

/** A tool, flat or wrapped as OpenAI's API has it. */
export type Tool = ToolFunction | { readonly type?: "function"; readonly function: ToolFunction }

/** A message after the check: content is one string (a tool's may be any JSON value). */
export interface CheckedMessage {
  readonly role: Message["role"]
  readonly content: Json
  readonly toolCalls: readonly ToolCall[]
  readonly name?: string
  readonly toolCallId?: string
}

/** What a conversation may hold at most; far above what fits a context of 131072 tokens. */
const limits = {
  messages: 20_000,
  tools: 512,
  calls: 256,
  textLength: 16_000_000,
  depth: 32,
  values: 100_000,
}

const text = z.string().max(limits.textLength, `a text is longer than ${limits.textLength} characters`)
const name = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,128}$/, "a name holds 1 to 128 letters, digits, underscores, dots or hyphens")
const textParts = z.array(z.object({ type: z.literal("text"), text })).max(10_000)
const content = z.union([text, textParts], 'content must be a string or an array of { type: "text", text }')
const json = z.custom<Json>(isBoundedJson, "must be a JSON value, at most 32 deep and of 100000 values")
const jsonObject = json.refine(isObject, "must be an object") as z.ZodType<Record<string, unknown>>

const messageSchema = z.discriminatedUnion(
  "role",
  [
    z.object({ role: z.enum(["system", "user"]), content }),
    z.object({
      role: z.literal("assistant"),
      content: content.nullish(),
      toolCalls: z
        .array(z.object({ id: z.string().max(256).optional(), name, arguments: jsonObject }))
        .max(limits.calls)
        .optional(),
    }),
    z.object({
      role: z.enum(["tool", "ipython"]),
      content: z.union([textParts, json]),
      name: name.optional(),
      toolCallId: z.string().max(256).optional(),
    }),
  ],
  "role must be one of system, user, assistant, tool, ipython",
)

const functionSchema = z.looseObject({
  name,
  description: text.optional(),
  parameters: jsonObject.optional(),
})
const toolSchema = z.union([
  z.looseObject({ type: z.literal("function").optional(), function: functionSchema }),
  functionSchema,
])

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Whether JSON can hold the value, within the limits of depth and of number of values. */
function isBoundedJson(value: unknown): boolean {
  let left = limits.values
  const visit = (value: unknown, depth: number): boolean => {
    if (--left < 0 || depth > limits.depth) return false
    if (value === null || typeof value === "boolean") return true
    if (typeof value === "string") return value.length <= limits.textLength
    if (typeof value === "number") return Number.isFinite(value)
    if (typeof value !== "object") return false
    if (Array.isArray(value)) return value.every((item) => visit(item, depth + 1))
    return Object.values(value).every((item) => item === undefined || visit(item, depth + 1))
  }
  return visit(value, 0)
}

/** The first complaint of zod, with the place where it is. */
function complaint(error: z.ZodError): string {
  let issue: z.core.$ZodIssue | undefined = error.issues[0]
  let place = ""
  while (issue !== undefined) {
    for (const key of issue.path) place += typeof key === "number" ? `[${key}]` : `.${String(key)}`
    // the alternative that got furthest says more than "no alternative fits"
    if (issue.code !== "invalid_union" || issue.errors.length === 0) break
    const deepest: z.core.$ZodIssue | undefined = issue.errors
      .flatMap((alternative) => alternative.slice(0, 1))
      .filter((candidate) => candidate.path.length > 0)
      .toSorted((a, b) => b.path.length - a.path.length)[0]
    if (deepest === undefined) break
    issue = deepest
  }
  return `${place === "" ? "" : `${place.replace(/^\./, "")}: `}${issue?.message ?? "is malformed"}`
}

const joined = (content: string | readonly TextPart[] | null | undefined): string =>
  typeof content === "string" ? content : (content ?? []).map((part) => part.text).join("")

function isTextParts(content: unknown): content is readonly TextPart[] {
  return Array.isArray(content) && content.length > 0 && textParts.safeParse(content).success
}

/**
 * Checks a conversation and brings every message into one shape.
 * @throws InvalidOptionError that names the index of the message at fault.
 */
export function checkMessages(messages: readonly Message[]): CheckedMessage[] {
  if (!Array.isArray(messages))
    throw new InvalidOptionError(`messages must be an array of { role, content }, got ${typeof messages}`)
  if (messages.length === 0)
    throw new InvalidOptionError("messages is empty: pass at least one { role, content }")
  if (messages.length > limits.messages)
    throw new InvalidOptionError(
      `${messages.length} messages, at most ${limits.messages} are taken: shorten it`,
    )
  let total = 0
  return messages.map((message: unknown, index) => {
    const result = messageSchema.safeParse(message)
    if (!result.success) throw new InvalidOptionError(`messages[${index}]: ${complaint(result.error)}`)
    const checked = shaped(result.data)
    total += typeof checked.content === "string" ? checked.content.length : 0
    if (total > limits.textLength)
      throw new InvalidOptionError(
        `messages[${index}]: the conversation is longer than ${limits.textLength} characters: shorten it`,
      )
    return checked
  })
}

function shaped(message: Message): CheckedMessage {
  if (message.role === "assistant") {
    const toolCalls = (message.toolCalls ?? []).map((call) => ({ ...call, id: call.id ?? "" }))
    return { role: "assistant", content: joined(message.content), toolCalls }
  }
  if (message.role === "tool" || message.role === "ipython") {
    const given: unknown = message.content
    const content = isTextParts(given) ? joined(given) : (given as Json)
    const { role, name, toolCallId } = message
    return { role, content, toolCalls: [], name, toolCallId }
  }
  const { role, content } = message
  return { role, content: joined(content as TextMessage["content"]), toolCalls: [] }
}

/**
 * Checks a list of tools; each is returned as it was written (a prompt shows it so).
 * @throws InvalidOptionError that names the index of the tool at fault.
 */
export function checkTools(tools: readonly Tool[] | undefined): Tool[] {
  if (tools === undefined) return []
  if (!Array.isArray(tools)) throw new InvalidOptionError(`tools must be an array, got ${typeof tools}`)
  if (tools.length > limits.tools)
    throw new InvalidOptionError(`${tools.length} tools, at most ${limits.tools} are taken`)
  const seen = new Set<string>()
  return tools.map((tool: unknown, index) => {
    if (!isBoundedJson(tool))
      throw new InvalidOptionError(`tools[${index}]: must be a JSON value, at most 32 deep`)
    const result = toolSchema.safeParse(tool)
    if (!result.success) throw new InvalidOptionError(`tools[${index}]: ${complaint(result.error)}`)
    const { name } = toolFunction(tool as Tool)
    if (seen.has(name)) throw new InvalidOptionError(`tools[${index}]: a second tool named ${name}`)
    seen.add(name)
    return tool as Tool
  })
}

/** The function inside a tool, whichever way the tool is written. */
export function toolFunction(tool: Tool): ToolFunction {
  return "function" in tool ? tool.function : tool
}
