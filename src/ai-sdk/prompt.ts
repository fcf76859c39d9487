// From the AI SDK's prompts to conversations. Only texts, calls of tools and their results have a meaning here.
import type {
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3ToolResultPart,
  SharedV3Warning,
} from "@ai-sdk/provider"
import type { Json, Message, ToolCall } from "../chat/index.js"
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"

/** @throws UnsupportedError for files and images, with their place in the prompt. */
export function messagesOf(prompt: LanguageModelV3Prompt, warnings: SharedV3Warning[]): Message[] {
  return prompt.flatMap((message, index) => messages(message, `prompt[${index}]`, warnings))
}

function messages(message: LanguageModelV3Message, place: string, warnings: SharedV3Warning[]): Message[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user": {
      const texts = message.content.map((part, at) => {
        if (part.type !== "text") throw noFile(`${place}.content[${at}]`, part.mediaType)
        return part.text
      })
      return [{ role: "user", content: texts.join("") }]
    }
    case "assistant":
      return assistant(message.content, place, warnings)
    case "tool":
      // whether a call was approved shows in its result
      return message.content.flatMap((part, at) =>
        part.type === "tool-result" ? [result(part, `${place}.content[${at}]`)] : [],
      )
  }
}

type AssistantParts = Extract<LanguageModelV3Message, { role: "assistant" }>["content"]

function assistant(parts: AssistantParts, place: string, warnings: SharedV3Warning[]): Message[] {
  const texts: string[] = []
  const toolCalls: ToolCall[] = []
  const results: Message[] = []
  for (const [at, part] of parts.entries()) {
    const here = `${place}.content[${at}]`
    switch (part.type) {
      case "text":
        texts.push(part.text)
        break
      case "reasoning":
        warnings.push({ type: "unsupported", feature: "reasoning", details: `${here} is left out` })
        break
      case "tool-call":
        toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: argumentsOf(part.input, here) })
        break
      case "tool-result":
        results.push(result(part, here))
        break
      case "file":
        throw noFile(here, part.mediaType)
    }
  }
  const content = texts.join("")
  return [{ role: "assistant", content, ...(toolCalls.length > 0 && { toolCalls }) }, ...results]
}

function argumentsOf(input: unknown, place: string): Record<string, unknown> {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw new InvalidOptionError(`${place}.input: the input of a call must be an object, got ${typeof input}`)
  return input as Record<string, unknown>
}

function result({ toolCallId, toolName, output }: LanguageModelV3ToolResultPart, place: string): Message {
  const answered = (content: Json): Message => ({ role: "tool", content, name: toolName, toolCallId })
  switch (output.type) {
    case "text":
    case "error-text":
      return answered(output.value)
    case "json":
    case "error-json":
      return answered(output.value as Json)
    case "execution-denied":
      return answered(output.reason ?? "The call was not allowed.")
    case "content": {
      const texts = output.value.map((part, at) => {
        if (part.type !== "text") throw noFile(`${place}.output.value[${at}]`, part.type)
        return part.text
      })
      return answered(texts.join(""))
    }
  }
}

const noFile = (place: string, kind: string) =>
  new UnsupportedError(`${place}: this model reads text, not ${kind}: put what matters into a text part`)
