// What a worker and the thread that started it say to each other beside commands and events.
import * as z from "zod"
import type { ErrorData } from "./error-data.js"
import type { LoadedModel } from "./link.js"
import type { EngineEvent } from "./protocol.js"

/** The first message. What a source is, the two sides know that are made for each other. */
export const loadMessage = z.strictObject({
  type: z.literal("load"),
  source: z.unknown(),
  options: z.unknown(),
})

export type FromWorker =
  | EngineEvent
  | { readonly type: "progress"; readonly loaded: number; readonly total: number }
  | { readonly type: "loaded"; readonly loaded: LoadedModel }
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "crashed"; readonly error: ErrorData }
  | { readonly type: "disposed" }
