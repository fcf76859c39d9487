// An engine on the calling thread: for tests and for tiny models.
import { EngineCrashedError } from "../errors/index.js"
import { dispatch } from "./dispatch.js"
import { Engine } from "./engine.js"
import type { EngineParts } from "./engine.js"
import type { LoadedModel, OpenLink } from "./link.js"
import type { EngineEvent } from "./protocol.js"

/** What makes an engine's parts; a checkpoint on disk, or in tests a model made up. */
export type PartsLoader = (hooks: {
  onWeights: (loaded: number, total: number) => void
  signal?: AbortSignal
}) => Promise<{ parts: EngineParts; loaded: LoadedModel }>

/** Runs the engine between the turns of this thread's own event loop. */
export const localLink =
  (load: PartsLoader): OpenLink =>
  async (handlers, { onProgress, signal }) => {
    signal?.throwIfAborted()
    const onWeights = (done: number, total: number) => onProgress?.({ stage: "weights", loaded: done, total })
    const { parts, loaded } = await load({ onWeights, signal })
    const onEvent = (event: EngineEvent) => handlers.onEvent(event)
    const engine = new Engine(parts, onEvent, (error) => {
      handlers.onCrash(error)
      void freeQuietly(engine)
    })
    return {
      // this thread cannot set the cell while it computes, and in between there is nothing to interrupt
      loaded: { ...loaded, interrupt: undefined },
      post: (command) => dispatch(engine, command, onEvent),
      keepAlive: () => {},
      close: () => engine.dispose(),
    }
  }

/** A broken engine may fail here as well; what can be freed is freed. */
async function freeQuietly(engine: Engine): Promise<void> {
  try {
    await engine.dispose()
  } catch (error) {
    if (!(error instanceof EngineCrashedError)) throw error
  }
}
