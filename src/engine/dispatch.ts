// From a message of the calling thread to the engine's methods.
import type { Engine } from "./engine.js"
import { toErrorData } from "./error-data.js"
import { checkCommand, type EngineEvent } from "./protocol.js"

/** Carries out a message. What is wrong with it is reported to the request it names; nothing is thrown. */
export function dispatch(engine: Engine, message: unknown, emit: (event: EngineEvent) => void): void {
  try {
    const command = checkCommand(message)
    switch (command.type) {
      case "generate":
        return engine.generate(command.id, command.request)
      case "score":
        return engine.score(command.id, command.ids, command.firstPosition, command.adapter)
      case "embed":
        return engine.embed(command.id, command.ids, command.adapter)
      case "grant":
        return engine.grant(command.id, command.credit)
      case "cancel":
        return engine.cancel(command.id)
      case "stats":
        return emit({ type: "stats", id: command.id, stats: engine.stats() })
    }
  } catch (error) {
    const { id } = (message ?? {}) as { id?: unknown }
    if (typeof id !== "number") return
    emit({ type: "step", pieces: [], rows: [], ended: [], failed: [[id, toErrorData(error)]] })
  }
}
