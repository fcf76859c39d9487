// What an engine's own thread does, in Node and in browsers. Its first message says what to load; after that it takes
// commands. It ends with the thread that started it, when told to, or by a crash.
import { collectGarbage, type WorkerPort } from "../platform/index.js"
import { dispatch } from "./dispatch.js"
import { Engine } from "./engine.js"
import { toErrorData } from "./error-data.js"
import { type FoundModel, loadFound } from "./load-model.js"
import { engineOptions } from "./load-options.js"
import { type FromWorker, loadMessage } from "./worker-messages.js"

/** Weights come in small chunks; the other side wants to know ten times a second. */
const progressInterval = 100

/** Takes the messages of an engine on this thread; `find` knows what the load message names. */
export function serveEngine(
  find: (source: unknown) => FoundModel,
  port: WorkerPort,
): (message: unknown) => void {
  const post = (message: FromWorker, transfer?: Transferable[]) => port.post(message, transfer)
  let engine: Promise<Engine | undefined> | undefined

  const load = async (message: unknown): Promise<Engine | undefined> => {
    try {
      const { source, options } = loadMessage.parse(message)
      let reported = 0
      const onWeights = (loaded: number, total: number) => {
        const now = performance.now()
        if (now - reported < progressInterval && loaded < total) return
        reported = now
        post({ type: "progress", loaded, total })
      }
      const hooks = { onWeights, onGarbage: collectGarbage }
      const { parts, loaded } = await loadFound(find(source), engineOptions.parse(options), hooks)
      const made = new Engine(
        parts,
        (event) => {
          const buffers =
            event.type === "step" ? event.rows.map(([, , logits]) => logits.buffer as ArrayBuffer) : []
          post(event, buffers)
        },
        (error) => post({ type: "crashed", error: toErrorData(error) }),
      )
      post({ type: "loaded", loaded })
      return made
    } catch (error) {
      post({ type: "failed", error: toErrorData(error) })
      return undefined
    }
  }

  const receive = async (message: unknown): Promise<void> => {
    if (!engine) {
      engine = load(message)
      return
    }
    const made = await engine
    if (!made) return
    if ((message as { type?: unknown }).type === "dispose") {
      await made.dispose()
      post({ type: "disposed" })
    } else dispatch(made, message, post)
  }

  return (message) => void receive(message)
}
