// From what --model says to an open checkpoint, without loading any weights. For the commands that look into a
// model instead of running it.
import { InvalidFileError, ModelNotFoundError } from "../errors/index.js"
import type { Checkpoint } from "../formats/checkpoint.js"
import { Tokenizer } from "../tokenizer/index.js"
import type { Context } from "./context.js"
import { oneLine } from "./format.js"

/** Opens the model that `source` means; it is closed at the end of the process at the latest. */
export async function openSource({ env, lifetime }: Context, source: string): Promise<Checkpoint> {
  const { findModel, suggestModels } = await import("../hub/index.js")
  const { openCheckpoint } = await import("../formats/checkpoint.js")
  const wanted = source === "default" ? env["CRIA_MODEL"] : source
  if (!wanted)
    throw new ModelNotFoundError(
      "no model is named: pass --model with a folder, a file or a hub id, or set CRIA_MODEL; " +
        '"cria list" shows what is on this disk',
    )
  const path = await findModel(wanted)
  if (path === undefined) {
    const close = await suggestModels(wanted)
    throw new ModelNotFoundError(
      `there is no model "${oneLine(wanted)}" on this disk: ` +
        (close.length > 0
          ? `did you mean ${close.join(" or ")}?`
          : /^[^/\s]+\/[^/\s]+$/.test(wanted)
            ? `"cria pull ${oneLine(wanted)}" downloads it`
            : 'give a folder or a file, or see "cria list"'),
    )
  }
  const checkpoint = await openCheckpoint(path)
  lifetime.defer(() => checkpoint.close())
  return checkpoint
}

/** The tokenizer that a checkpoint brings; undefined where it brings none. */
export function tokenizerOf({ tokenizer, path }: Checkpoint): Tokenizer | undefined {
  switch (tokenizer?.kind) {
    case undefined:
      return undefined
    case "tokenizer.json": {
      let json: unknown
      try {
        json = JSON.parse(tokenizer.text)
      } catch (error) {
        throw new InvalidFileError(`${path}: tokenizer.json is not JSON: fetch it again`, { cause: error })
      }
      return Tokenizer.fromTokenizerJson(json)
    }
    case "tiktoken":
      return Tokenizer.fromTiktoken(tokenizer.bytes)
    case "gguf":
      return Tokenizer.fromGguf(tokenizer.metadata)
    case "llama2c":
      return Tokenizer.fromLlama2c(tokenizer.bytes, tokenizer.vocabularySize)
  }
}
