// Conversations as records of tokens: rendered turn by turn in the format of the model, so that what stands before an
// answer is, token for token, the prompt that the engine would give; the loss counts what the assistant says.
import {
  type ChatOptions,
  chatParts,
  type Message,
  type Part,
  partsToText,
  type Tool,
} from "../chat/index.js"
import { encodeParts } from "../chat/parts.js"
import type { ChatExample, PreferenceExample } from "../data/example.js"
import type { TokenRecord, TokenSequence } from "../data/record.js"
import { UnsupportedError } from "../errors/index.js"
import type { Tokenizer } from "../tokenizer/index.js"

/** How conversations are written: as `chat` writes them, without what only inference needs. */
export type RenderOptions = Omit<ChatOptions, "addGenerationPrompt" | "continueLast" | "tools">

/** What the loss counts: all turns of the assistant, the last of them, or every token of the conversation. */
export type CountedTurns = "all" | "last" | "everything"

/** The parts of a conversation, each with whether the loss counts it. */
interface Stretch {
  readonly parts: readonly Part[]
  readonly counts: boolean
}

/**
 * The tokens of a conversation. Every answer is rendered as the end of the conversation so far, and cut where the prompt
 * for it ends; the token that ends its turn belongs to it. A turn in the middle that calls tools is an answer like any.
 * @throws UnsupportedError where the template writes earlier turns otherwise once later ones are there.
 */
export function conversationTokens(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  tools: readonly Tool[],
  options: RenderOptions,
  counted: CountedTurns = "all",
): TokenSequence {
  const render = (count: number, addGenerationPrompt: boolean) =>
    chatParts(messages.slice(0, count), tokenizer, { ...options, tools, addGenerationPrompt })
  const last = messages.findLastIndex(({ role }) => role === "assistant")
  const stretches: Stretch[] = []
  let done: Part[] = []
  for (const [i, { role }] of messages.entries()) {
    if (role !== "assistant") continue
    const prompt = render(i, true)
    const whole = render(i + 1, false)
    stretches.push({ parts: after(prompt, done), counts: counted === "everything" })
    stretches.push({ parts: after(whole, prompt), counts: counted !== "last" || i === last })
    done = whole
  }
  const ids: number[] = []
  const loss: number[] = []
  const { bos } = tokenizer
  for (const { parts, counts } of stretches) {
    const encoded = encodeParts(parts, tokenizer)
    if (ids.length === 0 && bos !== undefined && encoded[0] !== bos) encoded.unshift(bos)
    for (const id of encoded) {
      ids.push(id)
      loss.push(counts ? 1 : 0)
    }
  }
  return { ids: Int32Array.from(ids), loss: Uint8Array.from(loss) }
}

/** What of `whole` comes after `start`, its first parts; a text may go on within a part. Empty texts are left out. */
function after(whole: readonly Part[], start: readonly Part[]): Part[] {
  const hasContent = (part: Part) => "special" in part || part.text !== ""
  const rest = whole.filter(hasContent)
  for (const part of start.filter(hasContent)) {
    const first = rest.shift()
    if (first && "text" in first && "text" in part && first.text.startsWith(part.text)) {
      const text = first.text.slice(part.text.length)
      if (text !== "") rest.unshift({ text })
    } else if (!first || !("special" in first) || !("special" in part) || first.special !== part.special)
      throw new UnsupportedError(
        `the chat template writes earlier turns otherwise once later ones are there (near ${JSON.stringify(partsToText([part]).slice(0, 80))}): ` +
          "train on conversations with one answer, or with another template",
      )
  }
  return rest
}

/** A conversation as a record of one sequence. */
export function chatRecord(
  tokenizer: Tokenizer,
  { messages, tools }: ChatExample,
  options: RenderOptions,
  counted?: CountedTurns,
): TokenRecord {
  return [conversationTokens(tokenizer, messages, tools, options, counted)]
}

/** A preference as two sequences, the chosen one first; the loss counts what the two do not share. */
export function preferenceRecord(
  tokenizer: Tokenizer,
  { messages, tools, chosen, rejected }: PreferenceExample,
  options: RenderOptions,
): TokenRecord {
  const before = messages.length
  return [chosen, rejected].map((answer) => {
    const all = [...messages, ...answer]
    const sequence = conversationTokens(tokenizer, all, tools, options)
    const prompt = conversationLength(tokenizer, all, tools, options, before)
    return { ids: sequence.ids, loss: sequence.loss.map((counts, i) => (i < prompt ? 0 : counts)) }
  })
}

/** Tokens of the conversation up to message `count`, the header of the answer included. */
function conversationLength(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  tools: readonly Tool[],
  options: RenderOptions,
  count: number,
): number {
  const earlier = messages.slice(0, count)
  const lastAnswer = earlier.findLastIndex(({ role }) => role === "assistant")
  if (lastAnswer < 0) return 0
  return conversationTokens(tokenizer, earlier.slice(0, lastAnswer + 1), tools, options).ids.length
}
