// The shape of a model found on this disk, whoever put it there.

/** A program that keeps models on this disk. */
export type ModelSource = "huggingface" | "ollama" | "lmstudio"

/** A model that is ready to load. */
export interface LocalModel {
  /** What to give as `source`: `owner/name[@revision][:what]`, `ollama:name:tag`, `lmstudio:publisher/name/file`. */
  readonly id: string
  readonly source: ModelSource
  /** Folder, or GGUF file (of a split one the first). */
  readonly path: string
  /** Bytes of all its files. */
  readonly bytes: number
  /** When its newest file was written. */
  readonly modified: Date
}

/** What a search of the caches found. */
export interface ModelList {
  readonly models: LocalModel[]
  /** What looked like a model and is none that can be loaded, and why. */
  readonly skipped: { readonly path: string; readonly reason: string }[]
}

/** The newest of some dates in ms. */
export function newest(files: readonly { readonly modified: number }[]): Date {
  return new Date(files.reduce((latest, file) => Math.max(latest, file.modified), 0))
}
