// The engine's own thread in Node.
import { spawnWorker, type WorkerHandle } from "../platform/index.js"

let waiting: WorkerHandle | undefined

/** Starts the thread of the model that will be loaded next, while its caller is still busy with other things. */
export function startEngineThread(): void {
  if (waiting) return
  const thread = spawn()
  const forget = () => {
    if (waiting === thread) waiting = undefined
  }
  thread.onError(forget)
  thread.onExit(forget)
  thread.unref()
  waiting = thread
}

/** A thread that waits for its first message: the one that was started ahead, or a new one. */
export function takeEngineThread(): WorkerHandle {
  const thread = waiting ?? spawn()
  waiting = undefined
  thread.ref()
  return thread
}

const spawn = (): WorkerHandle =>
  spawnWorker({ name: "cria-engine", url: () => new URL("./worker.js", import.meta.url) })
