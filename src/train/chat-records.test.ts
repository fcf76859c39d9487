import { describe, expect, test } from "vitest"
import { encodeChat, type Message, type Tool } from "../chat/index.js"
import { tinyTokenizer } from "../engine/tiny-model-fixture.js"
import { chatRecord, conversationTokens, preferenceRecord } from "./chat-records.js"

const tokenizer = tinyTokenizer()
const place = { file: "chat.jsonl", line: 1 }
const date = "26 Jul 2024"
const chatMl =
  "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}" +
  "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
const shifting = "{% for m in messages %}{{ messages | length }}{{ m.content }}<|eot_id|>{% endfor %}"
const formats = [
  ["built in", {}],
  ["a template", { template: chatMl }],
] as const

const conversation: Message[] = [
  { role: "system", content: "Be kind." },
  { role: "user", content: "Hello <|eot_id|> there" },
  { role: "assistant", content: "  Hi!\n" },
  { role: "user", content: "And now?" },
  { role: "assistant", content: "Now we talk." },
]
const tools: Tool[] = [{ name: "weather", description: "Weather of a place", parameters: { type: "object" } }]

/** The texts of the stretches that the loss counts. */
function counted({ ids, loss }: { ids: Int32Array; loss: Uint8Array }): string[] {
  const texts: string[] = []
  let run: number[] = []
  for (const [i, id] of [...ids, -1].entries()) {
    if (loss[i] === 1) run.push(id)
    else if (run.length > 0) {
      texts.push(tokenizer.decode(run, { special: true }))
      run = []
    }
  }
  return texts
}

describe.each(formats)("conversations, %s", (_, format) => {
  const options = { date, ...format }

  test("what comes before an answer is the prompt of the engine, token for token", () => {
    for (const count of [3, 5]) {
      const { ids, loss } = conversationTokens(tokenizer, conversation.slice(0, count), [], options)
      const prompt = encodeChat(conversation.slice(0, count - 1), tokenizer, options)
      expect(Array.from(ids.subarray(0, prompt.length))).toEqual(prompt)
      expect(loss[prompt.length - 1]).toBe(0)
      expect(loss.subarray(prompt.length).every((counts) => counts === 1)).toBe(true)
    }
  })

  test("the loss counts the assistant's turns with their ends, and nothing else", () => {
    const [sequence] = chatRecord(tokenizer, { messages: conversation, tools: [], place }, options)
    expect(counted(sequence)).toEqual(["Hi!<|eot_id|>", "Now we talk.<|eot_id|>"])
    const [last] = chatRecord(tokenizer, { messages: conversation, tools: [], place }, options, "last")
    expect(counted(last)).toEqual(["Now we talk.<|eot_id|>"])
    expect(last.ids).toEqual(sequence.ids)
    const [whole] = chatRecord(tokenizer, { messages: conversation, tools: [], place }, options, "everything")
    expect(whole.loss.every((counts) => counts === 1)).toBe(true)
    expect(whole.ids).toEqual(sequence.ids)
  })

  test("texts never become special tokens", () => {
    const { ids } = conversationTokens(tokenizer, conversation, [], options)
    const ends = [...ids].filter((id) => id === tokenizer.idOf("<|eot_id|>")).length
    expect(ends).toBe(5)
  })
})

test("tool calls are learned as the model writes them, their results are not", () => {
  const messages: Message[] = [
    { role: "user", content: "Weather in Rome?" },
    { role: "assistant", toolCalls: [{ name: "weather", arguments: { city: "Rome" } }] },
    { role: "tool", content: { degrees: 31 } },
    { role: "assistant", content: "31 degrees." },
  ]
  expect(counted(conversationTokens(tokenizer, messages, tools, { date }))).toEqual([
    '{"name": "weather", "parameters": {"city": "Rome"}}<|eot_id|>',
    "31 degrees.<|eot_id|>",
  ])
  expect(counted(conversationTokens(tokenizer, messages, tools, { date, toolStyle: "pythonic" }))[0]).toBe(
    "[weather(city='Rome')]<|eot_id|>",
  )
})

test("preferences share their prompt, and only the answers count", () => {
  const example = {
    messages: conversation.slice(0, 4),
    tools: [],
    chosen: [{ role: "assistant", content: "Good." }] as Message[],
    rejected: [{ role: "assistant", content: "Go away." }] as Message[],
    place,
  }
  const [chosen, rejected] = preferenceRecord(tokenizer, example, { date })
  expect(counted(chosen)).toEqual(["Good.<|eot_id|>"])
  expect(counted(rejected)).toEqual(["Go away.<|eot_id|>"])
  const prompt = encodeChat(example.messages, tokenizer, { date })
  for (const { ids } of [chosen, rejected]) expect(Array.from(ids.subarray(0, prompt.length))).toEqual(prompt)
})

test("a template that rewrites earlier turns is refused with advice", () => {
  expect(() => conversationTokens(tokenizer, conversation, [], { template: shifting })).toThrow(
    /writes earlier turns otherwise .*: train on conversations with one answer/,
  )
})
