// The prompt format of the Llama 3.2 text models: turns, date lines, tools, built-in tools.
// Sources: Meta's prompt format page of Llama 3.2 (text models) and the chat template published with
// Llama-3.2-1B-Instruct; the built-in tools follow Llama 3.1. Knows nothing of token ids.
import { InvalidOptionError } from "../errors/index.js"
import type { CheckedMessage, Json, Tool, ToolCall } from "./messages.js"
import { toolFunction } from "./messages.js"
import { type Part, pythonJson, pythonLiteral, strip, stripStart } from "./parts.js"

/** The tools that the models were trained to call by themselves. */
export type BuiltinTool = "brave_search" | "wolfram_alpha" | "code_interpreter"

export interface Llama3Options {
  /** Where the list of tools is written. Default "user", as the published template does. */
  toolsIn?: "system" | "user"
  /**
   * How the model is told to call tools, and how earlier calls are shown to it: "json" as the published template,
   * or "pythonic", `[f(a='x'), g()]`, the zero-shot form of Meta's page. Default "json".
   */
  toolStyle?: "json" | "pythonic"
  /** Built-in tools to switch on; "code_interpreter" alone turns on the environment. */
  builtinTools?: readonly BuiltinTool[]
  /** The day of the `Today Date:` line; a string is written as it is. Default: today. */
  date?: Date | string
  /** Whether the knowledge and date lines are written. Default: yes, but not with pythonic tools. */
  dateLines?: boolean
  /** End with the header of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean
  /** Leave the last message, the assistant's, open, so that the model goes on with it. Default false. */
  continueLast?: boolean
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** A day as the date line has it: `26 Jul 2024`. */
export function dateText(date: Date | string): string {
  if (typeof date === "string") return date
  return `${String(date.getDate()).padStart(2, "0")} ${months[date.getMonth()]} ${date.getFullYear()}`
}

const jsonRules =
  'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' +
  "Do not use variables.\n\n"
const jsonInSystem =
  "You have access to the following functions. To call a function, please respond with JSON for a function call." +
  jsonRules
const jsonInUser =
  "Given the following functions, please respond with a JSON for a function call with its proper arguments that " +
  `best answers the given prompt.\n\n${jsonRules}`
const pythonicInSystem = `You are an expert in composing functions. You are given a question and a set of possible functions.
Based on the question, you will need to make one or more function/tool calls to achieve the purpose.
If none of the function can be used, point it out. If the given question lacks the parameters required by the function,
also point it out. You should only return the function call in tools call sections.

If you decide to invoke any of the function(s), you MUST put it in the format of [func_name1(params_name1=params_value1, params_name2=params_value2...), func_name2(params)]
You SHOULD NOT include any other text in the response.

Here is a list of functions in JSON format that you can invoke.

`
const pythonicAfterUser = `

Should you decide to return the function call(s),Put it in the format of [func1(params_name=params_value, params_name2=params_value2...), func2(params)]

NO other text MUST be included.`

const eot: Part = { special: "<|eot_id|>" }

/** The start of a turn. The blank line is a text of its own: Meta tokenizes header and content apart. */
const header = (role: string): Part[] => [
  { special: "<|start_header_id|>" },
  { text: role },
  { special: "<|end_header_id|>" },
  { text: "\n\n" },
]

const jsonTools = (tools: readonly Tool[]) =>
  tools.map((tool) => `${JSON.stringify(tool, null, 4)}\n\n`).join("")
const pythonicTools = (tools: readonly Tool[]) => JSON.stringify(tools.map(toolFunction), null, 4)

/**
 * The prompt of a conversation, as parts:
 * `<|begin_of_text|>` then `<|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>` for each turn.
 * Contents are stripped of white space at both ends, as in training. There is always a system turn unless
 * nothing stands in it. Calls of assistant turns replace their text; several JSON calls are joined by `; `.
 * @throws InvalidOptionError where the tools have no user turn to stand in, or nothing can be continued.
 */
export function llama3Parts(
  messages: readonly CheckedMessage[],
  tools: readonly Tool[],
  options: Llama3Options = {},
): Part[] {
  const { toolStyle = "json", builtinTools = [] } = options
  const turns = [...messages]
  const system = turns[0].role === "system" ? strip(turns.shift()!.content as string) : ""
  const parts: Part[] = [{ special: "<|begin_of_text|>" }]

  const scaffold = systemScaffold(tools, options)
  if (scaffold !== "" || system !== "")
    parts.push(...header("system"), { text: scaffold }, { text: system }, eot)

  const inUser = tools.length > 0 && (options.toolsIn ?? "user") === "user"
  if (inUser && turns[0]?.role !== "user")
    throw new InvalidOptionError(
      `tools stand in the first user turn, but after the system message comes ` +
        `${turns[0] === undefined ? "nothing" : `a message of ${turns[0].role}`}: add a user message, or pass toolsIn: "system"`,
    )
  turns.forEach((message, index) => {
    const last = index === turns.length - 1
    if (index === 0 && inUser)
      parts.push(...userWithTools(strip(message.content as string), tools, toolStyle))
    else parts.push(...turn(message, toolStyle, builtinTools, last && options.continueLast === true))
  })
  if (options.continueLast === true) {
    const last = turns.at(-1)
    if (last?.role !== "assistant" || last.toolCalls.length > 0)
      throw new InvalidOptionError(
        `continueLast goes on with a last message of the assistant that is text, got ` +
          `${last === undefined ? "no message" : last.role}: add such a message, or leave continueLast out`,
      )
  } else if (options.addGenerationPrompt !== false) parts.push(...header("assistant"))
  return parts
}

/** What stands in the system turn before the caller's own words. */
function systemScaffold(tools: readonly Tool[], options: Llama3Options): string {
  const { toolsIn = "user", toolStyle = "json", builtinTools = [] } = options
  const pythonic = toolStyle === "pythonic" && tools.length > 0
  const dateLines = options.dateLines ?? !pythonic
  let text = ""
  if (builtinTools.length > 0 || (tools.length > 0 && !pythonic)) {
    text += "Environment: ipython\n"
    const listed = builtinTools.filter((tool) => tool !== "code_interpreter")
    if (listed.length > 0) text += `Tools: ${listed.join(", ")}\n`
    if (builtinTools.length > 0 || !dateLines) text += "\n"
  }
  if (dateLines)
    text += `Cutting Knowledge Date: December 2023\nToday Date: ${dateText(options.date ?? new Date())}\n\n`
  if (tools.length > 0 && toolsIn === "system")
    text += pythonic ? `${pythonicInSystem}${pythonicTools(tools)}\n\n` : jsonInSystem + jsonTools(tools)
  return text
}

function userWithTools(content: string, tools: readonly Tool[], style: "json" | "pythonic"): Part[] {
  if (style === "json")
    return [...header("user"), { text: jsonInUser + jsonTools(tools) }, { text: content }, eot]
  const list = `\nHere is a list of functions in JSON format that you can invoke:\n${pythonicTools(tools)}`
  return [
    ...header("user"),
    { text: "Questions: " },
    { text: content },
    { text: list + pythonicAfterUser },
    eot,
  ]
}

function turn(
  message: CheckedMessage,
  style: "json" | "pythonic",
  builtinTools: readonly BuiltinTool[],
  open: boolean,
): Part[] {
  if (message.role === "tool" || message.role === "ipython")
    return [...header("ipython"), { text: pythonJson(message.content) }, eot]
  if (message.toolCalls.length > 0)
    return [...header("assistant"), ...calls(message.toolCalls, style, builtinTools)]
  const content = message.content as string
  if (open) return [...header("assistant"), { text: stripStart(content) }]
  return [...header(message.role), { text: strip(content) }, eot]
}

/** Calls as the model would have written them: a built-in call ends with eom, all others with eot. */
function calls(
  list: readonly ToolCall[],
  style: "json" | "pythonic",
  builtinTools: readonly BuiltinTool[],
): Part[] {
  if (list.length === 1 && (builtinTools as readonly string[]).includes(list[0].name)) {
    const { name, arguments: given } = list[0]
    const text =
      name === "code_interpreter" && typeof given.code === "string"
        ? given.code
        : `${name}.call(${Object.entries(given)
            .map(([key, value]) => `${key}=${pythonJson(value as Json)}`)
            .join(", ")})`
    return [{ special: "<|python_tag|>" }, { text }, { special: "<|eom_id|>" }]
  }
  const text = style === "pythonic" ? `[${list.map(pythonicCall).join(", ")}]` : list.map(jsonCall).join("; ")
  return [{ text }, eot]
}

const jsonCall = (call: ToolCall) =>
  `{"name": "${call.name}", "parameters": ${pythonJson(call.arguments as Record<string, Json>)}}`

const pythonicCall = (call: ToolCall) =>
  `${call.name}(${Object.entries(call.arguments)
    .map(([key, value]) => `${key}=${pythonLiteral(value)}`)
    .join(", ")})`
