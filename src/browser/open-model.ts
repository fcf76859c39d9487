// The engine's side of a source: opens the checkpoint that a page has named.
import { blobFolder, type Checkpoint, openCheckpointIn } from "../formats/index.js"
import { type WireSource, wireSource } from "./wire-source.js"
import { urlModel } from "./url-folder.js"

export async function openModel(value: unknown): Promise<Checkpoint> {
  const source: WireSource = wireSource.parse(value)
  if (source.kind === "url") {
    const { folder, name } = urlModel(source.url)
    return openCheckpointIn(folder, name)
  }
  const folder = blobFolder(source.path, new Map(source.files))
  const [[only]] = source.files
  return openCheckpointIn(folder, source.files.length === 1 ? only : undefined)
}
