// An engine in a worker: starts it, passes messages, notices when it dies, and ends it.
import { EngineCrashedError } from "../errors/index.js"
import type { WorkerHandle } from "../platform/index.js"
import { fromErrorData } from "./error-data.js"
import type { Link, LinkHandlers, OpenLink } from "./link.js"
import type { EngineOptions } from "./load-options.js"
import type { FromWorker } from "./worker-messages.js"

/** Milliseconds that an engine has to free what it holds before its thread is ended under it. */
const patience = 1000

/**
 * Loads a model in the worker that `spawn` starts; `source` (which may still be on its way) is for that worker to
 * understand, plain data.
 */
export const workerLink =
  (spawn: () => WorkerHandle, source: unknown, options: EngineOptions): OpenLink =>
  async (handlers, { onProgress, signal }) => {
    signal?.throwIfAborted()
    const worker = spawn()
    try {
      return await new Promise<Link>((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error))
        worker.onError((error) => reject(crashed(error)))
        worker.onExit((code) => reject(crashed(new Error(`its thread ended with code ${code}`))))
        worker.onMessage((data) => {
          const message = data as FromWorker
          if (message.type === "progress") {
            onProgress?.({ stage: "weights", loaded: message.loaded, total: message.total })
          } else if (message.type === "failed") reject(fromErrorData(message.error))
          else if (message.type === "loaded") resolve(ready(worker, message.loaded, handlers))
        })
        Promise.resolve(source).then((named) => worker.post({ type: "load", source: named, options }), reject)
      })
    } catch (error) {
      await worker.terminate()
      throw error
    }
  }

function ready(worker: WorkerHandle, loaded: Link["loaded"], handlers: LinkHandlers): Link {
  let over = false
  let disposed = () => {}
  const crash = (error: Error) => {
    if (over) return
    over = true
    handlers.onCrash(error)
    void worker.terminate()
  }
  worker.onError((error) => crash(crashed(error)))
  worker.onExit((code) => {
    disposed()
    crash(crashed(new Error(`its thread ended with code ${code}`)))
  })
  worker.onMessage((data) => {
    const message = data as FromWorker
    if (message.type === "crashed") crash(fromErrorData(message.error))
    else if (message.type === "disposed") disposed()
    else if (!over && (message.type === "step" || message.type === "stats")) handlers.onEvent(message)
  })
  return {
    loaded,
    post: (command) => worker.post(command),
    keepAlive: (on) => (on ? worker.ref() : worker.unref()),
    close: async () => {
      if (over) return
      over = true
      worker.ref()
      const done = new Promise<void>((resolve) => {
        disposed = resolve
      })
      worker.post({ type: "dispose" })
      if (loaded.interrupt) Atomics.store(loaded.interrupt, 0, 1)
      const timer = setTimeout(() => disposed(), patience)
      await done
      clearTimeout(timer)
      await worker.terminate()
    },
  }
}

const crashed = (cause: Error): EngineCrashedError =>
  new EngineCrashedError(
    `the engine ended unexpectedly (${cause.message}); what was running is lost, the next request starts it again`,
    { cause },
  )
