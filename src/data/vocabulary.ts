// A vocabulary from data files, and the files in which a model folder keeps it (Node only).
import { mkdir } from "node:fs/promises"
import { basename, join } from "node:path"
import { llama3Template } from "../chat/index.js"
import { writeFileAtomically } from "../formats/write-file.js"
import {
  exportTokenizerJson,
  type Tokenizer,
  type VocabularyOptions,
  VocabularyTrainer,
} from "../tokenizer/index.js"
import { type DataFile, readExamples, type ReadOptions } from "./read-examples.js"

export interface VocabularyJob
  extends VocabularyOptions,
    Pick<ReadOptions, "separator" | "field" | "signal"> {
  /** Bytes read of all files; then ids that exist. */
  readonly onProgress?: (phase: "reading" | "merging", done: number, total: number) => void
}

/** What a vocabulary makes of the text of one group. */
export interface GroupReport {
  readonly name: string
  /** Bytes that the vocabulary was made from. */
  readonly bytes: number
  /** Part of all weight that they had. */
  readonly share: number
  /** Measured on documents that were held out; undefined where the group has too few documents. */
  readonly charactersPerToken: number | undefined
  readonly bytesPerToken: number | undefined
}

/** One document in so many is held out to measure on. */
const heldOutEvery = 50
const mostHeldOut = 200_000

/** The group of a file is its name up to the first dot: `de` for `de.stories.txt.gz`. */
export const groupOf = (path: string): string => basename(path).replace(/\..*$/s, "")

/** Makes a vocabulary from the texts of the files. Errors as `readExamples` and `VocabularyTrainer`. */
export async function vocabularyFromFiles(
  files: readonly DataFile[],
  job: VocabularyJob,
): Promise<{ tokenizer: Tokenizer; groups: GroupReport[] }> {
  const { onProgress, signal, separator, field, ...options } = job
  const trainer = new VocabularyTrainer(options)
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const heldOut = new Map<string, string>()
  let read = 0
  const onRead = (bytes: number) => onProgress?.("reading", (read += bytes), total)
  for await (const { text, document, place } of readExamples("text", files, {
    separator,
    field,
    signal,
    onRead,
  })) {
    const group = groupOf(place.file)
    const held = heldOut.get(group) ?? ""
    if (document % heldOutEvery !== heldOutEvery - 1 || held.length > mostHeldOut) trainer.add(text, group)
    else heldOut.set(group, held + text.slice(0, mostHeldOut))
  }
  const tokenizer = await trainer.train({
    signal,
    onProgress: (done, size) => onProgress?.("merging", done, size),
  })
  const groups = [...trainer.weights()].map(([name, { bytes, share }]): GroupReport => {
    const text = heldOut.get(name) ?? ""
    const tokens = text === "" ? undefined : tokenizer.encode(text).length
    return {
      name,
      bytes,
      share,
      charactersPerToken: tokens && Array.from(text).length / tokens,
      bytesPerToken: tokens && new TextEncoder().encode(text).length / tokens,
    }
  })
  return { tokenizer, groups }
}

/**
 * Writes `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` (Llama 3.2's format) as transformers reads them.
 * For a tokenizer with the special tokens of Llama 3. UnsupportedError for SentencePiece vocabularies.
 */
export async function writeTokenizerFiles(folder: string, tokenizer: Tokenizer): Promise<void> {
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: "<|begin_of_text|>",
    eos_token: "<|end_of_text|>",
    pad_token: "<|finetune_right_pad_id|>",
    clean_up_tokenization_spaces: false,
    model_input_names: ["input_ids", "attention_mask"],
  }
  await mkdir(folder, { recursive: true })
  await writeFileAtomically(
    join(folder, "tokenizer_config.json"),
    `${JSON.stringify(config, undefined, 2)}\n`,
  )
  await writeFileAtomically(join(folder, "chat_template.jinja"), llama3Template)
  const json = JSON.stringify(exportTokenizerJson(tokenizer), undefined, 1)
  await writeFileAtomically(join(folder, "tokenizer.json"), `${json}\n`)
}
