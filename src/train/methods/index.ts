// From a recipe to its method: the loss, how its data are read and packed, what is said of a measurement (Node only).
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { InvalidOptionError } from "../../errors/index.js"
import { openCheckpoint } from "../../formats/disk-folder.js"
import { loadModel } from "../../model/checkpoint.js"
import { forward, type Model } from "../../model/llama.js"
import type { WeightKind } from "../../weights/kind.js"
import type { TrainingBackend } from "../parameters.js"
import type { Recipe } from "../recipe/schema.js"
import type { Teaching } from "../teacher-store.js"
import { askTeacher } from "../ask-teacher.js"
import type { Start } from "../start.js"
import { tokenBytes } from "../text-records.js"
import type { Measurement } from "../trainer.js"
import { distill } from "./distill.js"
import type { Method } from "./method.js"
import { nextToken } from "./next-token.js"
import { preference } from "./preference.js"
import { hasChats, mixedReader, preferenceReader, type ReaderOf } from "./readers.js"
import { reward } from "./reward.js"
import { targetLogProbabilities } from "./target-log-probabilities.js"

export interface PreparedMethod {
  readonly method: Method
  /** Whether records may be divided over batches. */
  readonly divides: boolean
  /** Whether the last token of a sequence goes through the model too. */
  readonly withLast?: boolean
  /** How files become records of at most `context` rows. */
  readonly reader: ReaderOf
  /** A teacher that is asked about all data ahead of training. */
  readonly teaching?: Teaching
  /** Figures of a measurement beside the loss. */
  describe(measurement: Measurement): Record<string, number>
}

/** Loads what the method needs beside the model: a teacher, a reference. `folder` is where relative paths begin. */
export async function prepareMethod(
  recipe: Recipe,
  folder: string,
  start: Start,
  backend: TrainingBackend,
): Promise<PreparedMethod> {
  const { tokenizer } = start
  switch (recipe.method) {
    case "pretrain":
      return {
        method: nextToken(tokenBytes(tokenizer)),
        divides: !hasChats(recipe),
        reader: mixedReader(recipe, start, "text"),
        describe: bitsPerByte,
      }
    case "sft":
      return {
        method: nextToken(tokenBytes(tokenizer)),
        divides: false,
        reader: mixedReader(recipe, start, "chat"),
        describe: bitsPerByte,
      }
    case "distill": {
      const { from, weights, ahead, ...options } = recipe.teacher
      const path = resolve(folder, from)
      const teacher = await frozen(path, backend, weights)
      if (ahead && options.divergence === "reverse")
        throw new InvalidOptionError(
          "teacher.ahead keeps the likeliest tokens only; the reverse divergence needs all: leave one out",
        )
      return {
        method: distill({
          ...options,
          teacher: ahead ? undefined : (batch) => forward(backend, teacher, batch),
          bytesOf: tokenBytes(tokenizer),
        }),
        teaching: ahead ? await teachingOf(recipe, path, teacher, backend) : undefined,
        divides: !hasChats(recipe),
        reader: mixedReader(recipe, start, "text"),
        describe: bitsPerByte,
      }
    }
    case "reward":
      return {
        method: reward,
        divides: false,
        withLast: true,
        reader: preferenceReader(recipe, start),
        describe: ({ more }) => more,
      }
    case "dpo": {
      const { beta, nll, maskSpecial, reference } = recipe.preference
      const other = reference === undefined ? undefined : resolve(folder, reference)
      const model = await referenceModel(recipe, start, backend, other)
      const masked = Uint8Array.from({ length: tokenizer.size }, (_, id) => (tokenizer.isSpecial(id) ? 1 : 0))
      const pass = { backend, ops: backend, scoring: backend, model }
      return {
        method: preference({
          beta,
          nll,
          masked: maskSpecial ? masked : undefined,
          reference: async (batch) => (await targetLogProbabilities(pass, batch)).values,
        }),
        divides: false,
        reader: preferenceReader(recipe, start),
        describe: ({ more }) => more,
      }
    }
  }
}

/** How the teacher is asked ahead of training; its name holds what says which model it is. */
async function teachingOf(
  { teacher: { topK, temperature }, batch }: Extract<Recipe, { method: "distill" }>,
  path: string,
  teacher: Model,
  backend: TrainingBackend,
): Promise<Teaching> {
  const k = Math.min(topK, teacher.config.vocabularySize)
  const { mtimeMs } = await stat(path)
  return {
    key: `${path} ${mtimeMs} ${k} ${temperature}`,
    k,
    ask: (records) => askTeacher(backend, teacher, records, { k, temperature, rows: batch.microTokens }),
  }
}

async function frozen(path: string, backend: TrainingBackend, weights: WeightKind | "auto"): Promise<Model> {
  const checkpoint = await openCheckpoint(path)
  try {
    return await loadModel(checkpoint, backend, { weights })
  } finally {
    await checkpoint.close()
  }
}

/** The model as it was before preferences: with an adapter the frozen weights themselves, which cost nothing more. */
function referenceModel(
  { adapter }: Recipe,
  { trainable, origin }: Start,
  backend: TrainingBackend,
  other: string | undefined,
): Promise<Model> | Model {
  if (adapter && other === undefined) return trainable.bind(backend).model
  const path = other ?? origin
  if (path === undefined)
    throw new InvalidOptionError("dpo compares with a reference: give model.from, or preference.reference")
  return frozen(path, backend, "auto")
}

function bitsPerByte({ loss, more }: Measurement): Record<string, number> {
  const { bytes } = more
  return bytes > 0 ? { bitsPerByte: loss / Math.LN2 / bytes } : {}
}
