// From what a caller names to a path on this disk (Node only): a path, a hub id that is downloaded where it is not
// here yet, or the default model.
import { defaultModel, findModel, parseModelId, pullModel, suggestModels } from "../hub/index.js"
import { InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import type { LoadProgress } from "./link.js"

export interface SourceOptions {
  readonly token?: string
  readonly revision?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

/** @throws ModelNotFoundError with what to do, and what pullModel throws. */
export async function resolveSource(source: string, options: SourceOptions): Promise<string> {
  if (source === "default") return resolveSource(defaultModel(), options)
  const { revision, token, signal, onProgress } = options
  const isId = isModelId(source)
  if (revision === undefined || !isId) {
    const path = await findModel(source)
    if (path !== undefined) return path
  }
  if (!isId) throw new ModelNotFoundError(await advice(source))
  const { path } = await pullModel(source, {
    token,
    revision,
    signal,
    onProgress: ({ file, overallLoaded, overallTotal }) =>
      onProgress?.({ stage: "download", loaded: overallLoaded, total: overallTotal, file }),
  })
  return path
}

function isModelId(source: string): boolean {
  try {
    parseModelId(source)
    return true
  } catch (error) {
    if (error instanceof InvalidOptionError) return false
    throw error
  }
}

async function advice(source: string): Promise<string> {
  const similar = await suggestModels(source)
  const meant = similar.length > 0 ? `; did you mean ${similar.join(" or ")}?` : ""
  return `no model at ${source.slice(0, 300)}: expected a folder, a file, or a hub id such as owner/name${meant}`
}
