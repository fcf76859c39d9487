// An engine on the calling thread: for tests and for tiny models.
import { dispatch } from "./dispatch.js"
import { Engine } from "./engine.js"
import type { EngineParts } from "./engine.js"
import type { LoadedModel, OpenLink } from "./link.js"

/** What makes an engine's parts; a checkpoint on disk, or in tests a model made up. */
export type PartsLoader = (hooks: {
  onWeights: (loaded: number, total: number) => void
  signal?: AbortSignal
}) => Promise<{ parts: EngineParts; loaded: LoadedModel }>

/** Runs the engine between the turns of this thread's own event loop. */
export const localLink =
  (load: PartsLoader): OpenLink =>
  async ({ onEvent }, { onProgress, signal }) => {
    signal?.throwIfAborted()
    const onWeights = (done: number, total: number) => onProgress?.({ stage: "weights", loaded: done, total })
    const { parts, loaded } = await load({ onWeights, signal })
    const engine = new Engine(parts, onEvent)
    return {
      // this thread cannot set the cell while it computes, and in between there is nothing to interrupt
      loaded: { ...loaded, interrupt: undefined },
      post: (command) => dispatch(engine, command, onEvent),
      keepAlive: () => {},
      close: () => engine.dispose(),
    }
  }
