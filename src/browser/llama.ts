// Llama in a page: models come from servers, from files of the user, or from this browser's own storage.
import { Llama as LoadedLlama } from "../engine/llama.js"
import { checkLoadOptions, engineOptions, type LoadOptions } from "../engine/load-options.js"
import { workerLink } from "../engine/worker-link.js"
import { InvalidOptionError } from "../errors/index.js"
import { type ModelSource, resolveSource } from "./model-source.js"
import { spawnPageWorker } from "./page-worker.js"

/** What `Llama.load` takes in a page: all but what is about the hub, and about computing on the page's own thread. */
export type BrowserLoadOptions = Omit<LoadOptions, "token" | "revision" | "inProcess">

export class Llama extends LoadedLlama {
  /**
   * Loads a model into a worker of the page; see `ModelSource` for what can be named; none means the demonstration
   * model of the package. Threads compute together where
   * the page is cross-origin isolated, one alone elsewhere.
   *
   * @throws ModelNotFoundError, InvalidFileError, UnsupportedError, OutOfMemoryError, HubError, InvalidOptionError, or
   *   the reason of `options.signal`.
   */
  static async load(source: ModelSource = "default", options: BrowserLoadOptions = {}): Promise<Llama> {
    const { onProgress, signal, inProcess, token, revision, ...engine } = checkLoadOptions(options)
    if (token !== undefined || revision !== undefined || inProcess)
      throw new InvalidOptionError(
        "token and revision are about the hub, and inProcess would freeze the page: a page loads URLs and files into a worker",
      )
    signal?.throwIfAborted()
    const settings = engineOptions.parse(engine)
    const wire = await resolveSource(source)
    const spawn = () => spawnPageWorker("cria-engine")
    return Llama.open(workerLink(spawn, wire, settings), { onProgress, signal })
  }
}
