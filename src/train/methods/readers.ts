// How the files of a recipe become records of tokens, by what they hold (Node only).
import { readExamples } from "../../data/index.js"
import { InvalidOptionError } from "../../errors/index.js"
import { type CountedTurns, chatRecord, preferenceRecord, type RenderOptions } from "../chat-records.js"
import type { RecordReader, SourceExamples } from "../open-data.js"
import type { Recipe } from "../recipe/schema.js"
import type { Start } from "../start.js"
import { documentRecords } from "../text-records.js"

/** A reader for files that hold these examples; records have at most `context` rows. */
export type ReaderOf = (context: number, examples: SourceExamples) => RecordReader

/** Whether some source holds conversations, which are not divided over batches: an answer keeps its question. */
export const hasChats = ({ data: { sources } }: Recipe): boolean =>
  sources.some(({ examples }) => examples === "chat")

/** Texts and conversations side by side; sources that do not say which hold `usual`. */
export function mixedReader(recipe: Recipe, start: Start, usual: "text" | "chat"): ReaderOf {
  const { turns = recipe.method === "pretrain" ? "everything" : "all" } = recipe.chat
  return (context, examples = usual) =>
    examples === "text" ? textReader(start, context) : chatReader(recipe, start, context, turns)
}

function textReader({ tokenizer, tokenizerKey }: Start, context: number): RecordReader {
  return {
    key: `text ${context} ${tokenizerKey}`,
    read: (files, options) => documentRecords(tokenizer, readExamples("text", files, options), context),
  }
}

const renderingOf = ({ chat }: Recipe, { chatTemplate }: Start): RenderOptions => {
  const { dateLines, date, toolsIn, toolStyle } = chat
  return { dateLines, date, toolsIn, toolStyle, template: chatTemplate }
}

function chatReader(recipe: Recipe, start: Start, context: number, turns: CountedTurns): RecordReader {
  const { tokenizer, tokenizerKey } = start
  const rendering = renderingOf(recipe, start)
  return {
    key: `chat ${context} ${tokenizerKey} ${JSON.stringify([rendering, turns])}`,
    async *read(files, options) {
      for await (const example of readExamples("chat", files, options)) {
        const record = chatRecord(tokenizer, example, rendering, turns)
        if (record[0].ids.length <= Math.min(context, recipe.batch.microTokens)) yield record
      }
    },
  }
}

export function preferenceReader(recipe: Recipe, start: Start): ReaderOf {
  const { tokenizer, tokenizerKey } = start
  const rendering = renderingOf(recipe, start)
  return (context, examples) => {
    if (examples !== undefined)
      throw new InvalidOptionError(
        `data.sources: ${recipe.method} learns from preferences, not from ${examples}: leave \`examples\` out`,
      )
    return {
      key: `preference ${context} ${tokenizerKey} ${JSON.stringify(rendering)}`,
      async *read(files, options) {
        for await (const example of readExamples("preference", files, options)) {
          const record = preferenceRecord(tokenizer, example, rendering)
          const fits = record.every(
            ({ ids }) => ids.length <= Math.min(context, recipe.batch.microTokens / 2),
          )
          if (fits) yield record
        }
      },
    }
  }
}
