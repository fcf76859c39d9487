// For tests of what the server makes of an answer: a model that says what the test wants, through the same
// detection of tool calls as a real one.
import type { Llama, Message, Piece, Tool } from "cria"
import { withToolCalls } from "#cria/engine/chat-pieces"
import { Generation } from "#cria/engine/generation"

/** The same model, but each chat answers with the next text; what it was asked is kept. */
export function scripted(llama: Llama, texts: string[]) {
  const asked: { messages: readonly Message[]; options: Record<string, unknown> }[] = []
  async function* say(text: string): AsyncGenerator<readonly Piece[], void, void> {
    const ids = llama.tokenizer.encode(text)
    const decoder = llama.tokenizer.decoder()
    for (const token of ids) yield [{ text: decoder.push(token), token, index: 0 }]
    const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: ids.length }
    yield [{ text: decoder.flush(), index: 0, finishReason: "stop", usage }]
  }
  const chat = (messages: readonly Message[], options: Record<string, unknown>) => {
    asked.push({ messages, options })
    const text = texts.shift() ?? "nothing left to say"
    return new Generation(() =>
      withToolCalls(say(text), (options["tools"] ?? []) as Tool[], { text: "<|python_tag|>", id: undefined }),
    )
  }
  const model = Object.assign(Object.create(llama) as Llama, { chat })
  // private fields of the class are reached through the real one
  for (const name of ["config", "tokenizer", "info"] as const)
    Object.defineProperty(model, name, { value: llama[name] })
  Object.defineProperty(model, "stats", { value: () => llama.stats() })
  return { model, asked }
}
