// Writes all text of the default model that is made by program:
//
//   npx tsx recipes/default/text/generate.ts OUT [--seed 1] [--scale 1] [--only chat|text]
//
// OUT/stories.<language>.txt, OUT/everyday.<language>.txt and OUT/repetitions/<language>.txt (documents between lines
// `<|doc|>`), OUT/chat.jsonl (messages, tools), OUT/preferences.jsonl (prompt, chosen, rejected), OUT/sampling.jsonl (prompts with checks, for
// rejection sampling) and OUT/held-out.jsonl (prompts with checks that are in none of the others). The same seed gives
// the same bytes.
import { createHash } from "node:crypto"
import { mkdir, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { conversations, examplesOf, kinds, roomOf } from "./chat.js"
import { languageCodes } from "./language.js"
import { preferencesOf } from "./preferences.js"
import { Random } from "./random.js"
import { repetition, wordsOf } from "./repetitions.js"
import { everydayText, storyText } from "./stories.js"
import type { Example } from "./tasks/example.js"

const counts = {
  stories: 1100,
  everyday: 2600,
  repetitions: 2000,
  chat: 450,
  conversations: 7000,
  preferences: 60,
  sampling: 30,
  heldOut: 30,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    scale: { type: "string", default: "1" },
  },
})
const [folder] = positionals
const scale = Number(values.scale)
if (folder === undefined || !(scale > 0)) {
  console.error("usage: npx tsx recipes/default/text/generate.ts OUT [--seed 1] [--scale 1]")
  process.exit(2)
}
const { seed } = values
const many = (count: number) => Math.max(1, Math.round(count * scale))

await mkdir(join(folder, "repetitions"), { recursive: true })
async function write(name: string, text: string): Promise<void> {
  const path = join(folder, name)
  await writeFile(`${path}.part`, text)
  await rename(`${path}.part`, path)
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12)
  console.log(
    `${name.padEnd(24)} ${(Buffer.byteLength(text) / 1e6).toFixed(2).padStart(7)} MB  sha256 ${hash}`,
  )
}
const lines = (list: readonly unknown[]) => list.map((item) => `${JSON.stringify(item)}\n`).join("")
/** Different documents; a text that came before is left out. */
const documents = (list: readonly string[]) => `${[...new Set(list)].join("\n<|doc|>\n")}\n`

for (const code of languageCodes) {
  const room = roomOf(code, new Random(`${seed} text ${code}`), false)
  const stories = Array.from({ length: many(counts.stories) }, () => storyText(room))
  const everyday = Array.from({ length: many(counts.everyday) }, () => everydayText(room))
  await write(`stories.${code}.txt`, documents(stories))
  await write(`everyday.${code}.txt`, documents(everyday))
  const chance = new Random(`${seed} repetitions ${code}`)
  const words = wordsOf(code, [...stories, ...everyday], chance)
  // a folder of their own: the vocabulary does not learn from them
  await write(
    `repetitions/${code}.txt`,
    documents(Array.from({ length: many(counts.repetitions) }, () => repetition(code, words, chance))),
  )
}

/** What training reads of an example. */
const trained = ({ kind, language, messages, tools }: Example) => ({ kind, language, messages, tools })
/** A prompt with the checks of its answer. */
const asked = ({ kind, language, messages, tools, checks }: Example) => ({
  kind,
  language,
  messages: messages.slice(0, -1),
  tools,
  checks,
  answer: messages.at(-1),
})

const all = (count: number, from: string, heldOut: boolean): Example[] =>
  Object.entries(kinds).flatMap(([kind, { weight }]) =>
    languageCodes.flatMap((code) =>
      examplesOf(kind, code, many(heldOut ? count : count * weight), from, heldOut),
    ),
  )
const random = new Random(`${seed} order`)
const single = all(counts.chat, seed, false)
const chat = [...single, ...conversations(single, many(counts.conversations), random)]
await write("chat.jsonl", lines(shuffled(chat).map(trained)))
await write("preferences.jsonl", lines(preferencesOf(many(counts.preferences), seed)))
await write("sampling.jsonl", lines(shuffled(all(counts.sampling, `${seed} sampling`, false)).map(asked)))
await write("held-out.jsonl", lines(all(counts.heldOut, `${seed} held out`, true).map(asked)))

const table = new Map<string, number[]>()
for (const { kind, language } of chat) {
  const row = table.get(kind) ?? languageCodes.map(() => 0)
  row[languageCodes.indexOf(language)]++
  table.set(kind, row)
}
console.log(
  `\n${"examples of chat.jsonl".padEnd(24)}${languageCodes.map((code) => code.padStart(6)).join("")}`,
)
for (const [kind, row] of table) console.log(kind.padEnd(24) + row.map((n) => String(n).padStart(6)).join(""))

/** The list in an order that the seed decides (Fisher and Yates). */
function shuffled<T>(list: readonly T[]): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.between(0, i)
    ;[out[i], out[j]] = [out[j], out[i]]
  }
  return out
}
