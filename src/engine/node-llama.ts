// Llama in Node: models come from this disk, or from a hub to this disk.
import { takeEngineThread } from "./engine-thread.js"
import { Llama as LoadedLlama } from "./llama.js"
import { checkLoadOptions, engineOptions, type LoadOptions } from "./load-options.js"
import { localLink } from "./local-link.js"
import { workerLink } from "./worker-link.js"

export class Llama extends LoadedLlama {
  /**
   * Loads a model. `source` is a folder, a file, a hub id (`owner/name[@revision][:file]`, downloaded where it is
   * not on this disk), or "default": what the environment variable CRIA_MODEL names, else the demonstration model of
   * the package.
   *
   * @throws ModelNotFoundError, InvalidFileError, UnsupportedError, OutOfMemoryError, HubError, InvalidOptionError, or
   *   the reason of `options.signal`.
   */
  static async load(source = "default", options: LoadOptions = {}): Promise<Llama> {
    const { onProgress, signal, inProcess, token, revision, ...engine } = checkLoadOptions(options)
    signal?.throwIfAborted()
    const { resolveSource } = await import("./source.js")
    const settings = engineOptions.parse(engine)
    const path = resolveSource(source, { token, revision, signal, onProgress })
    // The worker starts while the model is looked for.
    const open = inProcess
      ? localLink(inThisThread(await path, settings))
      : workerLink(takeEngineThread, path, settings)
    return Llama.open(open, { onProgress, signal })
  }
}

const inThisThread =
  (path: string, settings: ReturnType<typeof engineOptions.parse>): Parameters<typeof localLink>[0] =>
  async (hooks) => {
    const { loadFound } = await import("./load-model.js")
    const { findModel } = await import("./open-model.js")
    return loadFound(findModel(path), settings, hooks)
  }
