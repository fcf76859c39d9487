// The adapters that a caller names when loading a model, as weights beside it.
import { type Adapter, bindAdapter, readAdapter } from "../adapters/index.js"
import type { Backend } from "../backends/backend.js"
import { UnsupportedError } from "../errors/index.js"
import type { ModelFolder } from "../formats/folder.js"
import type { Model } from "../model/llama.js"

/**
 * Reads adapters of PEFT's format, by names of the caller's choice. `folderAt` says how folders are opened here.
 * Throws what `readAdapter` throws, and UnsupportedError where there are no folders.
 */
export async function loadAdapters(
  paths: Readonly<Record<string, string>>,
  folderAt: ((path: string) => ModelFolder) | undefined,
  backend: Backend,
  model: Model,
): Promise<Map<string, Adapter>> {
  const adapters = new Map<string, Adapter>()
  for (const [name, path] of Object.entries(paths)) {
    if (!folderAt)
      throw new UnsupportedError(
        "adapters are read from folders of a disk, and a page has none: merge the adapter into the model",
      )
    adapters.set(name, bindAdapter(backend, model, await readAdapter(folderAt(path), model.config)))
  }
  return adapters
}
