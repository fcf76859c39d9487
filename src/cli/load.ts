// Loads a model for a command: a bar while it loads, and its end with the end of the process.
import type { Llama } from "../engine/llama.js"
import { UnsupportedError } from "../errors/index.js"
import { collectGarbage } from "../platform/index.js"
import type { Context } from "./context.js"
import { bytes, duration, oneLine } from "./format.js"
import type { ModelFlags } from "./options.js"
import { startProgress } from "./progress.js"

export async function loadLlama({ err, lifetime }: Context, flags: ModelFlags): Promise<Llama> {
  const { startEngineThread } = await import("../engine/engine-thread.js")
  startEngineThread()
  const { Llama } = await import("../engine/node-llama.js")
  const start = performance.now()
  const progress = startProgress(err)
  const undo = lifetime.defer(() => progress.end())
  /** Whether this thread has freed what it took to start the program, before the weights have all come. */
  let isCollected = false
  try {
    const llama = await Llama.load(flags.model, {
      backend: flags.backend,
      threads: flags.threads,
      contextLength: flags.contextLength,
      weights: flags.weights,
      ...(flags.adapter !== undefined && { adapters: { given: flags.adapter }, adapter: "given" }),
      packedCache: flags.packedCache,
      signal: lifetime.signal,
      onProgress: ({ stage, loaded, total, file }) => {
        progress.update(stage === "download" ? oneLine(file ?? "downloading") : "loading", loaded, total)
        if (stage !== "weights" || loaded === total || isCollected) return
        isCollected = true
        void collectGarbage()
      },
    })
    lifetime.defer(() => llama.dispose())
    progress.end()
    // From now on this thread makes little garbage. First the caller may ask for an answer.
    setImmediate(() => void collectGarbage())
    if (flags.verbose) {
      const { info } = llama
      const seconds = duration((performance.now() - start) / 1000)
      const kinds = Object.entries(info.weights).map(([kind, size]) => `${kind} ${bytes(size)}`)
      err.write(`${oneLine(info.path)}: ${kinds.join(", ")}; loaded in ${seconds}; ${info.backend}\n`)
    }
    return llama
  } finally {
    progress.end()
    undo()
  }
}

/** Loads a model that can chat; says what to do with one that cannot. */
export async function loadChatModel(context: Context, flags: ModelFlags): Promise<Llama> {
  const llama = await loadLlama(context, flags)
  if (llama.info.hasChat) return llama
  throw new UnsupportedError(
    "this model has no chat format, it only continues texts: try " +
      `cria generate${flags.model === "default" ? "" : ` --model ${oneLine(flags.model)}`} "Once upon a time"`,
  )
}
