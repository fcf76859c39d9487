// The table of what the server answers: path, method, schema of the body, handler. Routing and the OpenAPI document
// are made from it.
import type { z } from "zod"
import { chatCompletions } from "./chat-completions.js"
import { completions } from "./completions.js"
import { embeddings } from "./embeddings.js"
import { health, metricsText, ready } from "./health.js"
import { listModels, retrieveModel } from "./model-routes.js"
import type { Reply } from "./reply.js"
import { cancelResponse, createResponse, deleteResponse, inputItems, retrieveResponse } from "./responses.js"
import { responseRequest } from "./responses-schema.js"
import { chatRequest, completionRequest, embeddingRequest } from "./schemas.js"
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
  ) => Reply | Promise<Reply>
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
  {
    method: "post",
    path: "/v1/completions",
    summary: "Continue texts",
    body: completionRequest,
    streams: true,
    handle: completions,
  },
  {
    method: "post",
    path: "/v1/responses",
    summary: "Answer with items, and keep the answer",
    body: responseRequest,
    streams: true,
    handle: createResponse,
  },
  {
    method: "get",
    path: "/v1/responses/:id",
    summary: "A stored response",
    handle: (context, request, { id }) => retrieveResponse(context, request, id),
  },
  {
    method: "delete",
    path: "/v1/responses/:id",
    summary: "Forget a response",
    handle: (context, _, { id }) => deleteResponse(context, id),
  },
  {
    method: "post",
    path: "/v1/responses/:id/cancel",
    summary: "End a response in the background",
    handle: (context, _, { id }) => cancelResponse(context, id),
  },
  {
    method: "get",
    path: "/v1/responses/:id/input_items",
    summary: "What a response answered",
    handle: (context, request, { id }) => inputItems(context, request, id),
  },
  {
    method: "post",
    path: "/v1/embeddings",
    summary: "Texts to vectors",
    body: embeddingRequest,
    handle: embeddings,
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
