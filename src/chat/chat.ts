// From a conversation to token ids: picks the model's own template or the built-in format.
import * as z from "zod"
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { llama3Parts } from "./llama3.js"
import { checkMessages, checkTools, type Message, type Tool } from "./messages.js"
import { type ChatTokenizer, encodeParts, type Part, partsToText } from "./parts.js"
import { templateParts, type TemplateOptions } from "./template.js"

export interface ChatOptions extends TemplateOptions {
  /** Functions that the model may call. */
  tools?: readonly Tool[]
  /** A Jinja template to use instead of the built-in format. */
  template?: string
}

const optionsSchema = z.object({
  template: z.string().optional(),
  toolsIn: z.enum(["system", "user"]).optional(),
  toolStyle: z.enum(["json", "pythonic"]).optional(),
  builtinTools: z.array(z.enum(["brave_search", "wolfram_alpha", "code_interpreter"])).optional(),
  date: z.union([z.date(), z.string().max(200)]).optional(),
  dateLines: z.boolean().optional(),
  addGenerationPrompt: z.boolean().optional(),
  continueLast: z.boolean().optional(),
  bosToken: z.string().max(200).optional(),
  eosToken: z.string().max(200).optional(),
})

/** The chat format that the vocabulary can write: "llama3" where it has the header tokens, else undefined. */
export function chatFormatOf(tokenizer: Pick<ChatTokenizer, "special">): "llama3" | undefined {
  const needed = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
  return needed.every((text) => tokenizer.special.has(text)) ? "llama3" : undefined
}

/**
 * The prompt of a conversation as parts, special tokens apart from texts.
 * @throws InvalidOptionError naming the message, tool or option at fault; UnsupportedError where there is neither
 * a template nor a vocabulary with chat tokens; InvalidFileError where the template is broken or hostile.
 */
export function chatParts(
  messages: readonly Message[],
  tokenizer: Pick<ChatTokenizer, "special">,
  options: ChatOptions = {},
): Part[] {
  const valid = optionsSchema.safeParse(options)
  if (!valid.success) {
    const [issue] = valid.error.issues
    throw new InvalidOptionError(`chat option ${issue.path.join(".")}: ${issue.message}`)
  }
  const checked = checkMessages(messages)
  const tools = checkTools(options.tools)
  if (options.template !== undefined)
    return templateParts(options.template, checked, tools, [...tokenizer.special.keys()], options)
  if (chatFormatOf(tokenizer) === undefined)
    throw new UnsupportedError(
      "this model has no chat tokens (<|start_header_id|> and its kin) and no chat template: it is a base model, " +
        "use generate with a plain prompt",
    )
  return llama3Parts(checked, tools, options)
}

/**
 * The prompt of a conversation as token ids, with exactly one start token where the vocabulary has one.
 * Texts of messages and tools never become special tokens.
 * @throws as `chatParts` does.
 */
export function encodeChat(
  messages: readonly Message[],
  tokenizer: ChatTokenizer,
  options: ChatOptions = {},
): number[] {
  const ids = encodeParts(chatParts(messages, tokenizer, options), tokenizer)
  const start = tokenizer.special.get(options.bosToken ?? "<|begin_of_text|>")
  return start === undefined || ids[0] === start ? ids : [start, ...ids]
}

/** The prompt of a conversation as one text, for display and tests. */
export function chatText(
  messages: readonly Message[],
  tokenizer: Pick<ChatTokenizer, "special">,
  options: ChatOptions = {},
): string {
  return partsToText(chatParts(messages, tokenizer, options))
}
