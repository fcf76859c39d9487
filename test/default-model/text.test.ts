// The text that the default model learns from: the same for the same seed, whole sentences, held-out prompts apart.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { chatText, checkMessages, parseToolCalls } from "../../src/chat/index.js"
import type { Message, Tool } from "../../src/chat/index.js"
import { examplesOf, kinds, promptKey, roomOf } from "../../recipes/default/text/chat.js"
import { languagesOf, passes } from "../../recipes/default/text/check.js"
import { languageCodes } from "../../recipes/default/text/language.js"
import { preferencesOf } from "../../recipes/default/text/preferences.js"
import { Random } from "../../recipes/default/text/random.js"
import { everydayText, storyText } from "../../recipes/default/text/stories.js"
import type { Example } from "../../recipes/default/text/tasks/example.js"
import { misspell } from "../../recipes/default/text/tasks/spelling.js"
import { expand } from "../../recipes/default/text/template.js"

const template = readFileSync(
  fileURLToPath(new URL("../../recipes/default/chat-template.jinja", import.meta.url)),
  "utf8",
)
const special = new Map(
  ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"].map((text, i) => [text, i]),
)
/** The answer of an example as a model would give it. */
function answerOf({ messages }: Example) {
  const last = messages.at(-1)!
  return "toolCalls" in last
    ? { text: "", toolCalls: last.toolCalls }
    : { text: last.content as string, toolCalls: [] }
}

test("templates: alternatives, slots, agreement, and what is missing is said", () => {
  const random = new Random("t")
  const cat = { gender: 1 as const, main: "Katze", forms: { the: "die Katze" } }
  expect(expand("{c:Der|Die} {c} [x|x]: {c.the}, {n}", { c: cat, n: 3 }, random)).toBe(
    "Die Katze x: die Katze, 3",
  )
  expect(expand("[{c:a[b|b]|c}|c]", { c: cat }, random)).toBe("c")
  expect(() => expand("{d}", {}, random)).toThrow(/nothing is bound/)
  expect(() => expand("{c.dative}", { c: cat }, random)).toThrow(/has no form dative/)
  expect(() => expand("[a|b", {}, random)).toThrow(/unclosed/)
})

describe.each(languageCodes)("%s", (code) => {
  test("every kind: right answers pass their checks, the same seed gives the same examples", () => {
    for (const kind of Object.keys(kinds)) {
      const examples = examplesOf(kind, code, 14, "test", false)
      expect(examples.length, kind).toBe(14)
      expect(examplesOf(kind, code, 14, "test", false)).toEqual(examples)
      for (const example of examples) {
        checkMessages(example.messages as Message[])
        expect(JSON.stringify(example.messages)).not.toMatch(/undefined|\[object|[\ue000-\uf8ff]/)
        expect(passes(example.checks, answerOf(example)), JSON.stringify(example)).toBe(true)
        if (example.rejected !== undefined && example.rejected !== answerOf(example).text)
          expect(passes(example.checks, { text: example.rejected }), JSON.stringify(example)).toBe(false)
      }
    }
  })

  test("held-out prompts are none of the training prompts", () => {
    for (const kind of Object.keys(kinds)) {
      const trained = new Set(examplesOf(kind, code, 30, "test", false).map(promptKey))
      const heldOut = examplesOf(kind, code, 3, "test", true)
      expect(heldOut.length, kind).toBeGreaterThan(0)
      expect(heldOut.filter((example) => trained.has(promptKey(example)))).toEqual([])
    }
  })

  test("stories and everyday texts are whole, and in their language", () => {
    const room = roomOf(code, new Random("test"), false)
    const texts = Array.from({ length: 60 }, () => storyText(room))
    for (const text of texts) {
      expect(text).not.toMatch(/[{}[\]|]| {2}|undefined/)
      expect(languagesOf(text)).toContain(code)
    }
    expect(new Set(texts).size).toBe(60)
    for (let i = 0; i < 60; i++) expect(everydayText(room)).not.toMatch(/[{}[\]|]| {2}|undefined/)
  })

  test("misspelt sentences differ from the right ones", () => {
    for (const { messages } of examplesOf("spelling", code, 40, "test", false)) {
      const last = messages.at(-1)!
      const right = "content" in last && typeof last.content === "string" ? last.content : ""
      expect(misspell(right, code, new Random(right))).not.toBe(right)
      expect(
        messages.some((message) => message.role === "user" && message.content.endsWith(`: ${right}`)),
      ).toBe(false)
    }
  })

  test("the short template writes calls that are read back", () => {
    for (const { messages, tools } of examplesOf("tool-call", code, 25, "test", false)) {
      const options = { template, tools: tools as Tool[] }
      const prompt = chatText(messages.slice(0, -1) as Message[], { special }, options)
      const whole = chatText(messages as Message[], { special }, { ...options, addGenerationPrompt: false })
      expect(whole.startsWith(prompt)).toBe(true)
      const { calls } = parseToolCalls(whole.slice(prompt.length).replace("<|eot_id|>", ""), tools as Tool[])
      const last = messages.at(-1)!
      expect(calls.map(({ name, arguments: given }) => ({ name, arguments: given }))).toEqual(
        "toolCalls" in last ? last.toolCalls : [],
      )
    }
  })
})

test("preferences: the better and the worse answer differ, tools are kept", () => {
  const preferences = preferencesOf(3, "test")
  expect(preferences.length).toBeGreaterThan(400)
  for (const { chosen, rejected } of preferences) expect(rejected).not.toEqual(chosen)
  expect(preferences.some(({ tools }) => tools !== undefined)).toBe(true)
  expect(new Set(preferences.map(({ reason }) => reason))).toEqual(
    new Set(["language", "grounded", "short", "safety", "form"]),
  )
})

test("the check of languages tells short answers apart", () => {
  expect(languagesOf("Die Hauptstadt von Frankreich ist Paris.")).toEqual(["de"])
  expect(languagesOf("La capitale de la France est Paris.")).toEqual(["fr"])
  expect(languagesOf("दिल्ली")).toEqual(["hi"])
  expect(languagesOf("กรุงเทพฯ")).toEqual(["th"])
  expect(languagesOf("東京です。")).toEqual(["ja"])
  expect(languagesOf("123")).toEqual([])
})
