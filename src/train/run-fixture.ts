// For tests: a folder with a byte-level tokenizer and texts that can be learned, and a recipe that trains on them.
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { threefry } from "../engine/random.js"
import { tinyTokenizer } from "../engine/tiny-model-fixture.js"
import { exportTokenizerJson } from "../tokenizer/index.js"
import { type Recipe, recipeSchema } from "./recipe/schema.js"

const checkedRecipe = (input: unknown): Recipe => {
  const recipe = recipeSchema.parse(input)
  if (recipe.method === "sample") throw new Error("a recipe that trains is expected")
  return recipe
}

export interface TrainingFolder extends AsyncDisposable {
  readonly path: string
  recipe(changes?: Record<string, unknown>): Recipe
}

const subjects = ["The cat", "A dog", "The llama", "A child", "The bird"]
const verbs = ["sees", "likes", "finds", "wants"]
const objects = ["a red ball.", "the house.", "some water.", "a green tree.", "the moon."]

/** Sentences of a small grammar; the n-th is always the same. */
export const sentence = (n: number): string => {
  const [a, b] = threefry(7, 0, n, 0)
  const [c] = threefry(7, 1, n, 0)
  return `${subjects[a % subjects.length]} ${verbs[b % verbs.length]} ${objects[c % objects.length]}`
}

export async function trainingFolder(): Promise<TrainingFolder> {
  const path = await mkdtemp(join(tmpdir(), "cria-train-"))
  const documents = Array.from({ length: 400 }, (_, i) => `${sentence(2 * i)} ${sentence(2 * i + 1)}`)
  await writeFile(join(path, "texts.txt"), documents.join("\n<|doc|>\n"))
  await writeFile(join(path, "tokenizer.json"), JSON.stringify(exportTokenizerJson(tinyTokenizer())))
  return {
    path,
    recipe: (changes = {}) =>
      checkedRecipe({
        method: "pretrain",
        output: "run",
        backend: "reference",
        model: {
          new: {
            tokenizer: "tokenizer.json",
            width: 16,
            layers: 1,
            queryHeads: 2,
            kvHeads: 1,
            feedForwardWidth: 32,
            contextLength: 64,
          },
        },
        data: { sources: [{ files: "texts.txt" }], validation: 0.05 },
        batch: { tokens: 256, microTokens: 128 },
        optimizer: { learningRate: 0.01 },
        schedule: { steps: 20, warmup: 2 },
        validate: { every: 10, tokens: 1000 },
        checkpoints: { every: 5 },
        ...changes,
      }),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
