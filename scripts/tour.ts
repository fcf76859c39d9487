// Every stage that a model of Cria can go through, on a toy in minutes: raw text, vocabulary, pretraining, pruning,
// distillation, fine-tuning, a reward model, sampling, preferences, an adapter, quantization, a conversation. Each step is a
// command that can be typed; the tour prints them as it goes.
//
//   npm run build
//   npx tsx scripts/tour.ts [FOLDER] [--small]
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { small: { type: "boolean", default: false } },
})
const folder = positionals[0] ?? (await mkdtemp(join(tmpdir(), "cria-tour-")))
await mkdir(folder, { recursive: true })
/** Steps of the long form and of the short one, which a test runs. */
const steps = (long: number, short: number) => ({ steps: values.small ? short : long })
const start = performance.now()
const elapsed = () => `${((performance.now() - start) / 1000).toFixed(0)} s`

/** Runs `cria` with these words; its progress is shown, its output returned. */
async function cria(...words: string[]): Promise<string> {
  console.log(
    `\n[${elapsed()}] $ cria ${words.map((word) => (/[\s*]/.test(word) ? `"${word}"` : word)).join(" ")}`,
  )
  const command = fileURLToPath(new URL("../dist/node/cli.js", import.meta.url))
  const child = spawn(process.execPath, [command, ...words], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  })
  let out = ""
  child.stdout.on("data", (data: Buffer) => (out += data.toString()))
  const code = await new Promise((resolve) => child.once("close", resolve))
  if (code !== 0) throw new Error(`cria ${words[0]} ended with code ${String(code)}`)
  return out
}

const write = (name: string, text: string) => writeFile(join(folder, name), text)
const lines = (list: readonly object[]) => list.map((item) => `${JSON.stringify(item)}\n`).join("")

// The world of the toy: things, their colours, and what is said of them.
const colours = ["red", "green", "blue", "white", "black", "yellow"]
const things = "ball,house,tree,moon,cat,dog,car,door,bird,flower,boat,hat".split(",")
const colourOf = (thing: string) => colours[(things.indexOf(thing) * 5) % colours.length]
const facts = things.flatMap((thing) => [
  `The ${thing} is ${colourOf(thing)}.`,
  `Look, a ${colourOf(thing)} ${thing}!`,
  `I have seen the ${thing}. It is ${colourOf(thing)}.`,
])
const ask = (thing: string) => [{ role: "user", content: `What colour is the ${thing}?` }]
const say = (content: string) => [{ role: "assistant", content }]
const good = (thing: string) => say(`The ${thing} is ${colourOf(thing)}.`)
const bad = (thing: string) => say(`No idea, ask somebody else about the ${thing}.`)

const documents = Array.from({ length: 600 }, (_, i) =>
  [1, 5, 11].map((step) => facts[(i * step + Math.floor(i / 7)) % facts.length]).join(" "),
)
await write("texts.txt", documents.join("\n<|doc|>\n"))
const repeated = (times: number) => Array.from({ length: times }, () => things).flat()
await write("chat.jsonl", lines(repeated(20).map((thing) => ({ messages: [...ask(thing), ...good(thing)] }))))
await write(
  "preferences.jsonl",
  lines(repeated(8).map((thing) => ({ prompt: ask(thing), chosen: good(thing), rejected: bad(thing) }))),
)
await write("prompts.jsonl", lines(things.map((thing) => ({ messages: ask(thing), wants: colourOf(thing) }))))
await write("check.mjs", "export const check = ({ wants }, { text }) => text.includes(wants)\n")
await write(
  "adapter.jsonl",
  lines(
    repeated(20).map((thing) => ({
      messages: [...ask(thing), ...say(`Das ist die Farbe ${colourOf(thing)}.`)],
    })),
  ),
)
await write(
  "template.jinja",
  "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}" +
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
)

/** Writes a recipe and runs it. */
async function train(name: string, recipe: object): Promise<void> {
  const common = { output: `runs/${name}`, validate: { every: 0, tokens: 4000 } }
  await write(`${name}.yaml`, JSON.stringify({ ...common, ...recipe }, undefined, 2))
  await cria("train", `${name}.yaml`)
}
const data = (files: string, more: object = {}) => ({
  sources: [{ files }],
  validation: 0.05,
  context: 96,
  ...more,
})
const batch = { tokens: 1024, microTokens: 1024 }

await cria("vocabulary", "vocabulary", "texts.txt", "--size", "512")
const size = {
  width: 96,
  layers: 3,
  queryHeads: 4,
  kvHeads: 2,
  headWidth: 24,
  feedForwardWidth: 192,
  contextLength: 128,
}
await train("pretrain", {
  method: "pretrain",
  model: { new: { ...size, tokenizer: "vocabulary", chatTemplate: "template.jinja" } },
  data: data("texts.txt"),
  batch,
  optimizer: { learningRate: 4e-3 },
  schedule: { ...steps(150, 60), shape: "wsd" },
})
await cria(
  "prune",
  "runs/pretrain/model",
  "runs/pruned",
  "--text",
  "texts.txt",
  "--layers",
  "2",
  "--feed-forward",
  "128",
)
await train("distill", {
  method: "distill",
  model: { from: "runs/pruned" },
  teacher: { from: "runs/pretrain/model", topK: 32 },
  data: data("texts.txt"),
  batch,
  optimizer: { learningRate: 2e-3 },
  schedule: steps(80, 30),
})
await train("sft", {
  method: "sft",
  model: { from: "runs/distill/model" },
  data: data("chat.jsonl"),
  batch,
  optimizer: { learningRate: 2e-3 },
  schedule: steps(80, 40),
})
await train("reward", {
  method: "reward",
  model: { from: "runs/sft/model" },
  data: data("preferences.jsonl"),
  batch,
  optimizer: { learningRate: 5e-4 },
  schedule: steps(20, 6),
})
for (const [name, judge] of [
  ["sampled", { checker: "check.mjs", least: 1 }],
  ["sampled-by-reward", { reward: "runs/reward/model" }],
] as const) {
  await write(
    `${name}.yaml`,
    JSON.stringify({
      method: "sample",
      output: `runs/${name}`,
      model: { from: "runs/sft/model" },
      data: { files: "prompts.jsonl" },
      samples: values.small ? 2 : 4,
      temperature: 1,
      maxTokens: 24,
      judge,
    }),
  )
  await cria("train", `${name}.yaml`)
}
await train("dpo", {
  method: "dpo",
  model: { from: "runs/sft/model" },
  data: data("preferences.jsonl"),
  batch,
  optimizer: { learningRate: 2e-4 },
  schedule: steps(20, 6),
})
await train("adapter", {
  method: "sft",
  model: { from: "runs/dpo/model" },
  adapter: { rank: 8, base: "int8" },
  data: data("adapter.jsonl"),
  batch,
  optimizer: { learningRate: 1e-2, weightDecay: 0 },
  schedule: steps(40, 10),
})
await cria("convert", "runs/dpo/model", "toy.gguf", "--weights", "int8", "--force")

const answers: { thing: string; answer: string; right: boolean }[] = []
for (const thing of things.slice(0, values.small ? 4 : things.length)) {
  const asked = ["--prompt", `What colour is the ${thing}?`]
  const options = ["--model", "toy.gguf", "--temperature", "0", "--max-tokens", "16", "--no-history"]
  const answer = await cria("chat", ...options, ...asked)
  answers.push({ thing, answer: answer.trim(), right: answer.includes(colourOf(thing)) })
}
for (const { thing, answer, right } of answers)
  console.log(`${right ? "✓" : "✗"} What colour is the ${thing}?  ${answer}`)
const right = answers.filter((one) => one.right).length
console.log(`\n[${elapsed()}] ${right} of ${answers.length} answers are right. Everything is in ${folder}`)
// The short form has no time to learn the facts, but it answers as it was taught to.
const isTaught = ({ answer }: { answer: string }) => /^The \w+ is \w+\.$/.test(answer)
if (values.small ? !answers.every(isTaught) : right < answers.length / 2) process.exitCode = 1
