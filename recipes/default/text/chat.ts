// Chat examples of every kind, for training and held out, by a fixed rule that never lets the same prompt into both.
import type { LanguageCode } from "./language.js"
import { languageCodes } from "./language.js"
import { languages } from "./languages/index.js"
import { lexiconOf } from "./lexicon.js"
import { First, hashOf, Random } from "./random.js"
import { story } from "./stories.js"
import { type Example, type ExampleMessage, Room, type Task } from "./tasks/example.js"
import { facts, identity, lists, sums, talk, unknown } from "./tasks/knowledge.js"
import { askAbout, decline, harmless } from "./tasks/safety.js"
import {
  formal,
  friendly,
  json,
  passage,
  query,
  repeat,
  shorten,
  spelling,
  summary,
  translation,
} from "./tasks/text.js"
import { toolAnswer, toolCall, toolNone } from "./tasks/tools.js"

/** Every kind of task with its share of the training examples. */
export const kinds: Readonly<Record<string, { readonly task: Task; readonly weight: number }>> = {
  talk: { task: talk, weight: 1 },
  identity: { task: identity, weight: 1 },
  recall: { task: recall, weight: 0.5 },
  unknown: { task: unknown, weight: 0.6 },
  facts: { task: facts, weight: 1.6 },
  sums: { task: sums, weight: 1 },
  lists: { task: lists, weight: 0.8 },
  passage: { task: passage, weight: 1.6 },
  summary: { task: summary, weight: 0.8 },
  formal: { task: formal, weight: 0.8 },
  friendly: { task: friendly, weight: 0.7 },
  shorten: { task: shorten, weight: 0.8 },
  spelling: { task: spelling, weight: 1 },
  repeat: { task: repeat, weight: 0.8 },
  query: { task: query, weight: 0.8 },
  story: { task: story, weight: 0.8 },
  translation: { task: translation, weight: 1.4 },
  json: { task: json, weight: 0.8 },
  "tool-call": { task: toolCall, weight: 1 },
  "tool-answer": { task: toolAnswer, weight: 0.6 },
  "tool-none": { task: toolNone, weight: 0.3 },
  decline: { task: decline, weight: 1 },
  harmless: { task: harmless, weight: 0.6 },
}

/** A name that is told in the first turn and asked for in a later one. */
function recall(room: Room): Example {
  const { language, random } = room
  const cast = room.cast()
  const introductions = language.talk.filter(([question]) => question.includes("{h}"))
  const first = room.pair(introductions, cast)
  const between = random.chance(0.5) ? facts(room).messages : []
  const { question, answer } = room.pair([language.recall], cast)
  return {
    kind: "recall",
    language: room.code,
    messages: [
      { role: "user", content: first.question },
      { role: "assistant", content: first.answer },
      ...between,
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ],
    checks: [{ type: "contains", values: [cast.h.main] }, room.spoken()],
    exact: true,
  }
}

const lexicons = Object.fromEntries(languageCodes.map((code) => [code, lexiconOf(code)]))
const others = new Map(
  languageCodes.map((code) => [code, { language: languages[code], lexicon: lexicons[code] }] as const),
)

export function roomOf(code: LanguageCode, random: Random, heldOut: boolean): Room {
  return new Room(languages[code], lexicons[code], random, heldOut, others)
}

/** What makes a prompt the same prompt: its letters and digits. */
const keyOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}+×-]+/gu, " ")
    .trim()

/** The key of all of the user's turns. */
export const promptKey = (example: Example): string =>
  keyOf(example.messages.flatMap((message) => (message.role === "user" ? [message.content] : [])).join(" "))

/** What people try first; every language learns it, so it is never held out. */
const alwaysTrained = new Set(
  languageCodes.flatMap((code) => {
    const room = roomOf(code, new First(), false)
    const { language, lexicon } = room
    const cast = room.cast()
    const greetings = [...language.talk, ...language.identity].map(([question]) => room.write(question, cast))
    const capitals = lexicon.countries.map(({ country, capital }) =>
      room.write(language.capital.pairs[0][0], { c: country, k: capital }),
    )
    const actions = language.harmless.map(([action]) => askAbout(room, action))
    return [...greetings, ...capitals, ...actions, room.write(language.storyAsk[0])].map(keyOf)
  }),
)

/** Chosen so that kinds of few prompts have some of them held out in every language. */
const salt = 98

/** One prompt in twelve is never trained on. */
export function isHeldOut(example: Example): boolean {
  const key = promptKey(example)
  return !alwaysTrained.has(key) && hashOf(`held out ${salt}: ${example.kind} ${key}`) % 12 === 0
}

/** As people type: sometimes without capitals or without the stop at the end. */
function casually(text: string, random: Random): string {
  let out = text
  if (random.chance(0.2)) out = out.toLowerCase()
  if (random.chance(0.2)) out = out.replace(/ ?[.?!।。？]+$/u, "")
  return out
}

function dressed(example: Example, room: Room): Example {
  const { random } = room
  const messages: ExampleMessage[] = example.messages.map((message) =>
    message.role === "user" && example.exact !== true
      ? { ...message, content: casually(message.content, random) }
      : message,
  )
  if (random.chance(0.4)) messages.unshift({ role: "system", content: systemOf(room) })
  return { ...example, messages }
}

function systemOf(room: Room): string {
  const own = room.random.chance(0.7)
  return own ? room.random.pick(room.language.systems) : "You are a helpful assistant."
}

/** The examples of one kind in one language: different prompts, in an order that the seed decides. */
export function examplesOf(
  kind: string,
  code: LanguageCode,
  count: number,
  seed: string,
  heldOut: boolean,
): Example[] {
  const room = roomOf(code, new Random(`${seed} ${kind} ${code} ${heldOut}`), heldOut)
  const seen = new Map<string, number>()
  const examples: Example[] = []
  // few-worded kinds repeat their prompts in other dress, at most so many times
  const repeats = heldOut ? 1 : 12
  for (let tries = 0; tries < count * 60 + 600 && examples.length < count; tries++) {
    const example = kinds[kind].task(room)
    const key = promptKey(example)
    const times = seen.get(key) ?? 0
    if (isHeldOut(example) !== heldOut || times >= repeats) continue
    seen.set(key, times + 1)
    examples.push(heldOut ? example : dressed(example, room))
  }
  return examples
}

/** Two or three examples of one turn as one conversation. */
export function conversations(examples: readonly Example[], count: number, random: Random): Example[] {
  const short = examples.filter(
    ({ messages, tools }) =>
      tools === undefined &&
      messages.length <= 3 &&
      messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0) < 420,
  )
  const byLanguage = new Map(
    languageCodes.map((code) => [code, short.filter(({ language }) => language === code)]),
  )
  return Array.from({ length: count }, () => {
    const code = random.pick(languageCodes)
    const turns = random.sample(byLanguage.get(code)!, random.between(2, 3))
    const [first, ...rest] = turns.map(({ messages }) => messages)
    return {
      kind: "conversation",
      language: code,
      messages: [...first, ...rest.flatMap((messages) => messages.filter(({ role }) => role !== "system"))],
      checks: [],
    }
  })
}
