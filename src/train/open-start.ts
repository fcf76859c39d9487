// What a run begins with (Node only): a new model, one from a folder, or that of a checkpoint; and how it is written again.
import { join } from "node:path"
import { InvalidOptionError } from "../errors/index.js"
import { averageTensors } from "./average.js"
import { type FirstModel, modelAt, newModel } from "./first-model.js"
import { writeModelFiles, writeTensors } from "./model-folder.js"
import { countParameters, type TrainingBackend } from "./parameters.js"
import type { Recipe } from "./recipe/schema.js"
import type { SavedCheckpoint } from "./run-folder.js"
import { firstHead, keyOf, readMoments, type Start, type StartOptions } from "./start.js"
import { startAdapter } from "./start-adapter.js"
import { headForm, trainWhole } from "./trainable.js"

/** `folder` is where the relative paths of the recipe begin, `origin` the model that it names. */
export async function openStart(
  recipe: Recipe,
  folder: string,
  origin: string | undefined,
  backend: TrainingBackend,
  saved: SavedCheckpoint | undefined,
): Promise<Start> {
  const options = { recipe, origin, backend, saved, hasHead: recipe.method === "reward" }
  if (!recipe.adapter) {
    const path = saved?.path ?? origin
    return startWhole(
      options,
      path === undefined ? await newModel(recipe.model.new!, recipe.seed, folder) : await modelAt(path),
    )
  }
  if (origin === undefined)
    throw new InvalidOptionError("an adapter needs a model to adapt: give model.from, not model.new")
  return startAdapter(options, recipe.adapter, origin)
}

async function startWhole(options: StartOptions, { files, values, tokenizer }: FirstModel): Promise<Start> {
  const { recipe, origin, backend, saved, hasHead } = options
  const head = hasHead ? await firstHead(options, headForm(files.config)) : undefined
  const moments = saved
    ? await readMoments(saved.path, [...values.keys(), ...(head ? [headForm(files.config).name] : [])])
    : undefined
  const trainable = trainWhole(
    backend,
    files.config,
    ({ name }) => ({ value: values.get(name) ?? head!, ...moments?.get(name) }),
    hasHead,
  )
  const write = async (into: string, kind: Recipe["save"]) => {
    const tensors = trainable.parameters.map(({ name, shape, value }) => {
      return { name, shape, read: () => backend.read(value) }
    })
    await writeTensors(join(into, "model.safetensors"), tensors, kind)
    await writeModelFiles(into, { ...files, sampling: recipe.model.sampling }, kind, hasHead)
  }
  return {
    trainable,
    tokenizer,
    tokenizerKey: keyOf(files.tokenizer),
    chatTemplate: files.chatTemplate,
    origin,
    modelParameters: countParameters(trainable.parameters),
    write: (into) => write(into, "f32"),
    async writeFinal(into, run) {
      const last = (await run.list()).slice(-recipe.checkpoints.average)
      if (last.length < 2) return write(into, recipe.save)
      const tensors = averageTensors(
        last.map((path) => join(path, "model.safetensors")),
        trainable.parameters,
      )
      await writeTensors(join(into, "model.safetensors"), tensors, recipe.save)
      await writeModelFiles(into, files, recipe.save, hasHead)
    },
  }
}
