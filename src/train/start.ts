// What a run begins with (Node only): a new model, one from a folder, or that of a checkpoint, with its tokenizer and
// template; and how it is written again.
import { createHash } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { readTokenizer } from "../engine/load-model.js"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { openCheckpoint } from "../formats/disk-folder.js"
import type { ModelConfig } from "../model/config.js"
import { exportTokenizerJson, Tokenizer } from "../tokenizer/index.js"
import { type ModelFiles, writeModelFiles, writeTensors } from "./model-folder.js"
import { type ModelValues, newModelValues, readModelValues } from "./model-values.js"
import { countParameters, type ParameterValues, type TrainingBackend } from "./parameters.js"
import type { Recipe } from "./recipe/schema.js"
import { openMoments, type RunFolder, type SavedCheckpoint } from "./run-folder.js"
import { type Trainable, trainWhole } from "./trainable.js"

export interface Start {
  readonly trainable: Trainable
  readonly tokenizer: Tokenizer
  /** Says which tokenizer this is: tokens that another one has made are of no use. */
  readonly tokenizerKey: string
  readonly chatTemplate: string | undefined
  /** Parameters of the whole model, trained or not. */
  readonly modelParameters: number
  /** Writes the model as it is now, in float32. */
  write(folder: string): Promise<void>
  /** Writes the model as the recipe wants it at the end. */
  writeFinal(folder: string, run: RunFolder): Promise<void>
}

export async function openStart(
  recipe: Recipe,
  folder: string,
  backend: TrainingBackend,
  saved: SavedCheckpoint | undefined,
): Promise<Start> {
  const { files, values, tokenizer } = saved ? await fromFolder(saved.path) : await firstModel(recipe, folder)
  const moments = new Map<string, Omit<ParameterValues, "value">>()
  if (saved) {
    const file = await openMoments(saved.path)
    try {
      for (const name of values.keys()) moments.set(name, await file.of(name))
    } finally {
      await file.close()
    }
  }
  const trainable = trainWhole(backend, files.config, ({ name }) => ({
    value: values.get(name)!,
    ...moments.get(name),
  }))
  const write = async (into: string, kind: Recipe["save"]) => {
    const tensors = trainable.parameters.map(({ name, shape, value }) => {
      return { name, shape, read: () => backend.read(value) }
    })
    await writeTensors(join(into, "model.safetensors"), tensors, kind)
    await writeModelFiles(into, files, kind)
  }
  return {
    trainable,
    tokenizer,
    tokenizerKey: createHash("sha256")
      .update(files.tokenizer ?? "")
      .digest("hex"),
    chatTemplate: files.chatTemplate,
    modelParameters: countParameters(trainable.parameters),
    write: (into) => write(into, "f32"),
    writeFinal: (into) => write(into, recipe.save),
  }
}

interface FirstModel {
  readonly files: ModelFiles
  readonly values: ModelValues
  readonly tokenizer: Tokenizer
}

function firstModel({ model, seed }: Recipe, folder: string): Promise<FirstModel> {
  return model.new ? newModel(model.new, seed, folder) : fromFolder(resolve(folder, model.from!))
}

async function fromFolder(path: string): Promise<FirstModel> {
  const checkpoint = await openCheckpoint(path)
  try {
    const { config, values } = await readModelValues(checkpoint)
    const tokenizer = readTokenizer(checkpoint)
    const { generationConfig, chatTemplate } = checkpoint
    const text =
      checkpoint.tokenizer?.kind === "tokenizer.json"
        ? checkpoint.tokenizer.text
        : JSON.stringify(exportTokenizerJson(tokenizer))
    return { files: { config, tokenizer: text, chatTemplate, generationConfig }, values, tokenizer }
  } finally {
    await checkpoint.close()
  }
}

type NewModel = NonNullable<Recipe["model"]["new"]>

async function newModel(wanted: NewModel, seed: number, folder: string): Promise<FirstModel> {
  const text = await readFile(await tokenizerFile(resolve(folder, wanted.tokenizer)), "utf8")
  const tokenizer = Tokenizer.fromTokenizerJson(text)
  const chatTemplate =
    wanted.chatTemplate === undefined
      ? undefined
      : await readFile(resolve(folder, wanted.chatTemplate), "utf8")
  const config = configOf(wanted, tokenizer)
  return {
    files: { config, tokenizer: text, chatTemplate },
    values: newModelValues(config, wanted.deviation, seed),
    tokenizer,
  }
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
