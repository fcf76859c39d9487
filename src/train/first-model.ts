// The model that a run begins with (Node only), in float32 and with the files that go with it: from a folder, or new.
import { readFile, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { readTokenizer } from "../engine/load-model.js"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import type { Checkpoint } from "../formats/checkpoint.js"
import { openCheckpoint } from "../formats/disk-folder.js"
import type { ModelConfig } from "../model/config.js"
import { exportTokenizerJson, Tokenizer } from "../tokenizer/index.js"
import { buildInductionHeads } from "./induction-heads.js"
import type { ModelFiles } from "./model-folder.js"
import { type ModelValues, newModelValues, readModelValues } from "./model-values.js"
import type { Recipe } from "./recipe/schema.js"

export interface FirstModel {
  readonly files: ModelFiles
  readonly values: ModelValues
  readonly tokenizer: Tokenizer
}

export async function modelAt(path: string): Promise<FirstModel> {
  const checkpoint = await openCheckpoint(path)
  try {
    const { config, values } = await readModelValues(checkpoint)
    return { values, ...filesOf(checkpoint, config) }
  } finally {
    await checkpoint.close()
  }
}

/** Tokenizer, template and settings of a checkpoint, to be written beside a model that comes from it. */
export function filesOf(checkpoint: Checkpoint, config: ModelConfig): Omit<FirstModel, "values"> {
  const tokenizer = readTokenizer(checkpoint)
  const { generationConfig, chatTemplate } = checkpoint
  const text =
    checkpoint.tokenizer?.kind === "tokenizer.json"
      ? checkpoint.tokenizer.text
      : JSON.stringify(exportTokenizerJson(tokenizer))
  return { files: { config, tokenizer: text, chatTemplate, generationConfig }, tokenizer }
}

type NewModel = NonNullable<Recipe["model"]["new"]>

export async function newModel(wanted: NewModel, seed: number, folder: string): Promise<FirstModel> {
  const text = await readFile(await tokenizerFile(resolve(folder, wanted.tokenizer)), "utf8")
  const tokenizer = Tokenizer.fromTokenizerJson(text)
  const chatTemplate =
    wanted.chatTemplate === undefined
      ? undefined
      : await readFile(resolve(folder, wanted.chatTemplate), "utf8")
  const config = configOf(wanted, tokenizer)
  const values = newModelValues(config, wanted.deviation, seed)
  if (wanted.inductionHeads) buildInductionHeads(values, config, wanted.deviation, seed)
  return { files: { config, tokenizer: text, chatTemplate }, values, tokenizer }
}

async function tokenizerFile(path: string): Promise<string> {
  const status = await stat(path).catch(() => {
    throw new InvalidFileError(`model.new.tokenizer: ${path} does not exist; \`cria vocabulary\` makes one`)
  })
  return status.isDirectory() ? join(path, "tokenizer.json") : path
}

function configOf(wanted: NewModel, tokenizer: Tokenizer): ModelConfig {
  const { width, layers, queryHeads, kvHeads, feedForwardWidth, contextLength } = wanted
  const headWidth = wanted.headWidth ?? width / queryHeads
  if (queryHeads % kvHeads !== 0)
    throw new InvalidOptionError(
      `model.new: ${queryHeads} query heads cannot share ${kvHeads} key-value heads`,
    )
  if (!Number.isInteger(headWidth) || headWidth % 2 !== 0)
    throw new InvalidOptionError(
      `model.new: heads are ${headWidth} wide, but rotary embedding needs an even whole number: set headWidth`,
    )
  const stops = ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"].map((text) => tokenizer.idOf(text))
  return {
    width,
    layers,
    queryHeads,
    kvHeads,
    headWidth,
    feedForwardWidth,
    vocabularySize: tokenizer.size,
    normEpsilon: wanted.normEpsilon,
    contextLength,
    tiedEmbeddings: wanted.tiedEmbeddings,
    ropeTheta: wanted.ropeTheta,
    ropeScaling: undefined,
    bos: tokenizer.bos,
    stopTokens: stops.filter((id) => id !== undefined),
  }
}
