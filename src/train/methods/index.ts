// From a recipe to its method: the loss, how its data are read and packed, what is said of a measurement.
import { readExamples } from "../../data/index.js"
import type { RecordReader } from "../open-data.js"
import type { Recipe } from "../recipe/schema.js"
import type { Start } from "../start.js"
import { documentRecords, tokenBytes } from "../text-records.js"
import type { Measurement } from "../trainer.js"
import type { Method } from "./method.js"
import { nextToken } from "./next-token.js"

export interface PreparedMethod {
  readonly method: Method
  /** Whether records may be divided over batches. */
  readonly divides: boolean
  /** How files become records of at most `context` rows. */
  reader(context: number): RecordReader
  /** Figures of a measurement beside the loss. */
  describe(measurement: Measurement): Record<string, number>
}

export function methodOf(recipe: Recipe, start: Start): PreparedMethod {
  const { tokenizer, tokenizerKey } = start
  switch (recipe.method) {
    case "pretrain":
      return {
        method: nextToken(tokenBytes(tokenizer)),
        divides: true,
        reader: (context) => ({
          key: `text ${context} ${tokenizerKey}`,
          read: (files, options) => documentRecords(tokenizer, readExamples("text", files, options), context),
        }),
        describe: bitsPerByte,
      }
  }
}

function bitsPerByte({ loss, more }: Measurement): Record<string, number> {
  const { bytes } = more
  return bytes > 0 ? { bitsPerByte: loss / Math.LN2 / bytes } : {}
}
