// The table of what the server answers: path, method, schema of the body, handler. Routing and the OpenAPI document
// are made from it.
import type { z } from "zod"
import { chatCompletions } from "./chat-completions.js"
import { health, metricsText, ready } from "./health.js"
import { listModels, retrieveModel } from "./model-routes.js"
import { chatRequest } from "./schemas.js"
import type { ServerContext } from "./work.js"

export interface Route {
  readonly method: "get" | "post" | "delete"
  /** With parameters as `:name`; `:name{.+}` may hold slashes. */
  readonly path: string
  readonly summary: string
  readonly body?: z.ZodType
  /** The answer may be a stream of server-sent events. */
  readonly streams?: boolean
  /** Answered without a key. */
  readonly open?: boolean
  readonly handle: (
    context: ServerContext,
    request: Request,
    parameters: Record<string, string>,
  ) => Response | Promise<Response>
}

export const routes: readonly Route[] = [
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Answer a conversation",
    body: chatRequest,
    streams: true,
    handle: chatCompletions,
  },
  { method: "get", path: "/v1/models", summary: "The models of this server", handle: listModels },
  {
    method: "get",
    path: "/v1/models/:model{.+}",
    summary: "One model",
    handle: (context, _, { model }) => retrieveModel(context, model),
  },
  { method: "get", path: "/health", summary: "Whether the process lives", open: true, handle: health },
  { method: "get", path: "/ready", summary: "Whether new requests are taken", open: true, handle: ready },
  { method: "get", path: "/metrics", summary: "Measurements for Prometheus", handle: metricsText },
]
