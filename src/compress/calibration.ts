// Texts to measure a model on: some of every file, in turn, so that no language is left out (Node only).
import type { DataFile, ReadOptions } from "../data/index.js"
import { readExamples } from "../data/index.js"
import { InvalidFileError } from "../errors/index.js"
import type { Tokenizer } from "../tokenizer/index.js"

export interface CalibrationOptions extends Pick<ReadOptions, "separator" | "field" | "signal"> {
  /** Tokens in all, about. */
  readonly tokens: number
  /** Longest text, in tokens. */
  readonly length: number
}

/** Beginnings of documents as token ids, one of each file in turn. InvalidFileError where the files hold too little. */
export async function calibrationTexts(
  files: readonly DataFile[],
  tokenizer: Tokenizer,
  { tokens, length, ...options }: CalibrationOptions,
): Promise<Int32Array[]> {
  const texts: Int32Array[] = []
  let left = tokens
  let readers = files.map((file) => readExamples("text", [file], options))
  try {
    while (left > 0 && readers.length > 0) {
      const open: typeof readers = []
      for (const reader of readers) {
        const next = await reader.next()
        if (next.done) continue
        open.push(reader)
        if (left <= 0) continue
        // A token has a few characters: what lies behind them need not be tokenized.
        const ids = tokenizer.encode(next.value.text.slice(0, 16 * length), { bos: true }).slice(0, length)
        if (ids.length < 2) continue
        texts.push(Int32Array.from(ids))
        left -= ids.length
      }
      readers = open
    }
  } finally {
    for (const reader of readers) await reader.return(undefined)
  }
  if (texts.length === 0) throw new InvalidFileError("the files to measure on hold no text")
  return texts
}
