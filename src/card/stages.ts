// What a model went through: one entry a stage of training or shrinking, kept in the model's folder and handed on from stage
// to stage (Node only). Model cards are written from it.
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as z from "zod"
import { energyReportSchema } from "../energy/index.js"
import { InvalidFileError } from "../errors/index.js"
import { writeFileAtomically } from "../formats/write-file.js"

/** The name of the file in the folder of a model. */
export const stagesFile = "training.json"

const text = z.string().max(10_000)
const measures = z.record(text, z.record(text, z.number()))

const stageSchema = z.strictObject({
  /** `pretrain`, `distill`, `prune`, `sft`, ... */
  method: text,
  /** When it ended: ISO 8601. */
  ended: text,
  /** Parameters of the model afterwards, and how many of them were trained. */
  parameters: z.number().int().nonnegative(),
  trained: z.number().int().nonnegative().optional(),
  steps: z.number().int().nonnegative().optional(),
  /** Tokens that went through the model. */
  tokens: z.number().nonnegative().optional(),
  /** Hyperparameters by name, as flat values. */
  settings: z.record(text, z.union([z.string(), z.number(), z.boolean(), z.null()])),
  data: z.array(
    z.strictObject({
      name: text,
      tokens: z.number().nonnegative(),
      /** Part of all that was read. */
      share: z.number().min(0).max(1).optional(),
    }),
  ),
  /** Held-out measurements by source and measure, before the first step and after the last. */
  before: measures.optional(),
  after: measures.optional(),
  energy: energyReportSchema.optional(),
})
export type Stage = z.infer<typeof stageSchema>

const fileSchema = z.strictObject({ version: z.literal(1), stages: z.array(stageSchema).max(1000) })

/** The stages of the model in a folder, first one first; none where nothing is known. InvalidFileError for a damaged file. */
export async function readStages(folder: string): Promise<Stage[]> {
  const path = join(folder, stagesFile)
  const content = await readFile(path, "utf8").catch(() => undefined)
  if (content === undefined) return []
  try {
    return fileSchema.parse(JSON.parse(content)).stages
  } catch (error) {
    throw new InvalidFileError(`${path} is not the record of a training by Cria: remove it, or restore it`, {
      cause: error,
    })
  }
}

export const writeStages = (folder: string, stages: readonly Stage[]): Promise<void> =>
  writeFileAtomically(join(folder, stagesFile), `${JSON.stringify({ version: 1, stages }, undefined, 2)}\n`)
