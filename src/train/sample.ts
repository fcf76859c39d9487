// Rejection sampling (Node only): several answers to each prompt from a model, judged by a reward model or by a program; the
// best become data for fine-tuning, the best against the worst data for preferences.
import { mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { AssistantMessage, Message } from "../chat/index.js"
import { dataFiles, type PromptExample, readExamples } from "../data/index.js"
import type { Answer } from "../engine/generation.js"
import { Llama } from "../engine/node-llama.js"
import { InvalidOptionError } from "../errors/index.js"
import { writeFileAtomically } from "../formats/write-file.js"
import type { SampleRecipe } from "./recipe/schema.js"
import { RewardModel } from "./reward-model.js"

/** What a checker gets to see of an answer. */
export interface JudgedAnswer {
  readonly text: string
  readonly toolCalls: Answer["toolCalls"]
}

/** A score, higher is better; NaN where an answer cannot be judged. */
type Judge = (example: PromptExample, answer: Answer) => Promise<number>

export interface SampleHooks {
  /** Where relative paths of the recipe begin. */
  readonly folder: string
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

export interface SampleResult {
  readonly prompts: number
  /** Prompts whose best answer was kept, and pairs of a better and a worse one. */
  readonly kept: number
  readonly pairs: number
  /** Mean score of all answers, and of the best of each prompt. */
  readonly mean: number
  readonly best: number
}

export async function sample(recipe: SampleRecipe, hooks: SampleHooks): Promise<SampleResult> {
  const { folder, signal, onProgress } = hooks
  const files = await dataFiles(recipe.data.files.map((path) => resolve(folder, path)))
  const prompts: PromptExample[] = []
  for await (const prompt of readExamples("prompt", files, { signal })) prompts.push(prompt)
  await using judge = await openJudge(recipe, folder)
  await using llama = await Llama.load(resolve(folder, recipe.model.from), {
    backend: recipe.backend as "auto",
    threads: recipe.threads,
    signal,
  })
  const results: Judged[][] = Array.from({ length: prompts.length }, () => [])
  let next = 0
  let done = 0
  const worker = async () => {
    for (let i = next++; i < prompts.length; i = next++) {
      results[i] = await answers(
        llama,
        prompts[i],
        recipe,
        recipe.seed + i * recipe.samples,
        judge.score,
        signal,
      )
      onProgress?.(++done, prompts.length)
    }
  }
  await Promise.all(Array.from({ length: recipe.parallel }, worker))
  return write(resolve(folder, recipe.output), prompts, results, recipe.judge.least ?? -Infinity)
}

interface Judged {
  readonly message: AssistantMessage
  readonly score: number
}

async function answers(
  llama: Llama,
  { messages, tools, ...rest }: PromptExample,
  recipe: SampleRecipe,
  seed: number,
  score: Judge,
  signal: AbortSignal | undefined,
): Promise<Judged[]> {
  const { dateLines, date, toolsIn, toolStyle } = recipe.chat
  const { samples: n, temperature, topP, maxTokens } = recipe
  const options = {
    dateLines,
    date,
    toolsIn,
    toolStyle,
    tools,
    n,
    temperature,
    topP,
    maxTokens,
    seed,
    signal,
  }
  const found = await llama.chat(messages, options).result()
  const judged: Judged[] = []
  for (const answer of found) {
    if (answer.finishReason === "length") continue // cut off: nothing to learn from
    judged.push({ message: messageOf(answer), score: await score({ messages, tools, ...rest }, answer) })
  }
  return judged.filter((one) => !Number.isNaN(one.score)).toSorted((a, b) => b.score - a.score)
}

const messageOf = ({ text, toolCalls }: Answer): AssistantMessage =>
  toolCalls && toolCalls.length > 0 ? { role: "assistant", toolCalls } : { role: "assistant", content: text }

async function openJudge(
  { judge, backend, chat }: SampleRecipe,
  folder: string,
): Promise<{ score: Judge } & AsyncDisposable> {
  if (judge.reward !== undefined) {
    const model = await RewardModel.load(resolve(folder, judge.reward), backend as "auto")
    const { dateLines, date, toolsIn, toolStyle } = chat
    const rendering = { dateLines, date, toolsIn, toolStyle }
    return {
      score: ({ messages, tools }, answer) => model.score([...messages, messageOf(answer)], tools, rendering),
      [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    }
  }
  const path = resolve(folder, judge.checker!)
  const module = (await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new InvalidOptionError(`judge.checker: ${path} cannot be loaded: ${(error as Error).message}`, {
      cause: error,
    })
  })) as { check?: unknown }
  const { check } = module
  if (typeof check !== "function")
    throw new InvalidOptionError(`judge.checker: ${path} exports no function \`check\``)
  return {
    async score({ fields }, { text, toolCalls }) {
      const answer: JudgedAnswer = { text, toolCalls }
      return Number(await (check as (example: object, answer: JudgedAnswer) => unknown)(fields, answer))
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

async function write(
  folder: string,
  prompts: readonly PromptExample[],
  results: readonly (readonly Judged[])[],
  least: number,
): Promise<SampleResult> {
  const best: object[] = []
  const pairs: object[] = []
  const totals = { score: 0, count: 0, best: 0, answered: 0 }
  for (const [i, judged] of results.entries()) {
    if (judged.length === 0) continue
    const [first] = judged
    const last = judged.at(-1)!
    totals.score += judged.reduce((sum, { score }) => sum + score, 0)
    totals.count += judged.length
    totals.best += first.score
    totals.answered++
    const { messages, tools } = prompts[i]
    if (first.score < least) continue
    best.push({ messages: [...messages, first.message] satisfies Message[], tools, score: first.score })
    if (last.score < first.score)
      pairs.push({ prompt: messages, tools, chosen: [first.message], rejected: [last.message] })
  }
  await mkdir(folder, { recursive: true })
  const lines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("")
  await writeFileAtomically(join(folder, "sft.jsonl"), lines(best))
  await writeFileAtomically(join(folder, "preferences.jsonl"), lines(pairs))
  const { score, count, answered } = totals
  return {
    prompts: prompts.length,
    kept: best.length,
    pairs: pairs.length,
    mean: score / count,
    best: totals.best / answered,
  }
}
