// What runs have in common at their start, whether all of a model is trained or an adapter to it (Node only).
import { createHash } from "node:crypto"
import type { Tokenizer } from "../tokenizer/index.js"
import { normal } from "./initialize.js"
import type { ParameterValues, TrainingBackend } from "./parameters.js"
import type { Recipe } from "./recipe/schema.js"
import { readHead } from "./reward-model.js"
import { openMoments, type RunFolder, type SavedCheckpoint } from "./run-folder.js"
import type { TensorForm, Trainable } from "./trainable.js"

export interface Start {
  readonly trainable: Trainable
  readonly tokenizer: Tokenizer
  /** Says which tokenizer this is: tokens that another one has made are of no use. */
  readonly tokenizerKey: string
  readonly chatTemplate: string | undefined
  /** Folder of the model that the run began with; none where it was new. */
  readonly origin: string | undefined
  /** Parameters of the whole model, trained or not. */
  readonly modelParameters: number
  /** Writes what is trained as it is now, in float32. */
  write(folder: string): Promise<void>
  /** Writes the model as the recipe wants it at the end. */
  writeFinal(folder: string, run: RunFolder): Promise<void>
}

/** What both ways to start have in common. */
export interface StartOptions {
  readonly recipe: Recipe
  /** Absolute path of the model that the recipe names. */
  readonly origin: string | undefined
  readonly backend: TrainingBackend
  readonly saved: SavedCheckpoint | undefined
  readonly hasHead: boolean
}

export const keyOf = (tokenizer: string | undefined): string =>
  createHash("sha256")
    .update(tokenizer ?? "")
    .digest("hex")

/** The head of a checkpoint or of a reward model to go on with, else small random numbers. */
export async function firstHead(
  { recipe, origin, saved }: StartOptions,
  form: TensorForm,
): Promise<Float32Array> {
  const found = saved ? await readHead(saved.path) : origin === undefined ? undefined : await readHead(origin)
  return found ?? normal(form.shape, 0.02, recipe.seed, 2 ** 31)
}

/** Moments of a checkpoint by parameter. */
export async function readMoments(
  path: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, Omit<ParameterValues, "value">>> {
  const file = await openMoments(path)
  try {
    const moments = new Map<string, Omit<ParameterValues, "value">>()
    for (const name of names) moments.set(name, await file.of(name))
    return moments
  } finally {
    await file.close()
  }
}
