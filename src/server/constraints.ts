// From response_format and tool_choice to what constrains the text.
import { toolCallSchema } from "../chat/index.js"
import type { GenerateOptions } from "../engine/options.js"
import type { ApiError } from "./api-error.js"
import { badRequest } from "./api-error.js"

/** What an answer has to look like. */
export type Constraint = NonNullable<GenerateOptions["constraint"]>

export type Schema = Record<string, unknown>

export type Format =
  | { readonly type: "text" | "json_object" }
  | { readonly type: "json_schema"; readonly schema?: Schema | null }
  | { readonly type: "regex"; readonly pattern: string }
  | { readonly type: "grammar"; readonly grammar: string }

export interface FunctionTool {
  readonly name: string
  readonly description?: string
  readonly parameters?: Schema
}

/** Which tools a model may or must call. */
export type ToolChoice = "none" | "auto" | "required" | { readonly name: string }

/** Calls in one answer, where a call is required and the client asks for several. */
const mostCalls = 16

/**
 * `parallel` is whether the client asked for parallel calls in so many words. Without that a required call is one: models
 * that write their calls in brackets would otherwise be held to a list of two at least.
 *
 * @throws ApiError 400 where the wishes exclude each other.
 */
export function constraintFor(
  format: Format | undefined,
  tools: readonly FunctionTool[],
  choice: ToolChoice,
  parallel: boolean,
): Constraint | undefined {
  if (choice === "required" || typeof choice === "object") {
    const allowed = typeof choice === "object" ? tools.filter(({ name }) => name === choice.name) : tools
    if (allowed.length === 0) throw missingTool(choice)
    const calls = parallel && choice === "required" ? mostCalls : 1
    return { type: "json_schema", schema: toolCallSchema(allowed, { calls }) }
  }
  if (format === undefined || format.type === "text") return undefined
  const mayCall = choice === "auto" && tools.length > 0
  if (format.type === "json_schema") {
    const schema = format.schema ?? { type: "object" }
    return { type: "json_schema", schema: mayCall ? toolCallSchema(tools, { answer: schema }) : schema }
  }
  if (mayCall)
    throw badRequest(
      `a format of type ${format.type} excludes tool calls: leave the tools out, or pass tool_choice "none"`,
      "tool_choice",
    )
  if (format.type === "regex") return { type: "regex", pattern: format.pattern }
  if (format.type === "grammar") return { type: "grammar", grammar: format.grammar }
  return { type: "json_object" }
}

function missingTool(choice: "required" | { readonly name: string }): ApiError {
  return choice === "required"
    ? badRequest('tool_choice "required" needs at least one tool in tools', "tool_choice")
    : badRequest(`tool_choice names ${choice.name}, which is not in tools`, "tool_choice")
}
