// The server as a plain function from Request to Response, to be mounted in any framework: keys, CORS, routing,
// errors, counting. Knows no socket and no file.
import { Hono } from "hono"
import { cors } from "hono/cors"
import type { Llama } from "../engine/llama.js"
import { ApiError, toApiError } from "./api-error.js"
import { Gate, shuttingDown } from "./gate.js"
import { Keys } from "./keys.js"
import { Metrics } from "./metrics.js"
import { type ModelEntry, Models } from "./models.js"
import { openApi } from "./openapi.js"
import { type Reply, toResponse } from "./reply.js"
import { ResponseStore } from "./response-store.js"
import { routes } from "./routes.js"
import type { WebFolder } from "./web-folder.js"
import type { RequestFacts, ServerContext } from "./work.js"

export interface HandlerOptions {
  /** Hashes of the bearer keys that are let in, as `hashKey` makes them. Default: none, everybody is. */
  apiKeyHashes?: readonly string[]
  /** Origins of pages that may call the server; "*" for all. Default: none. */
  cors?: readonly string[]
  /** Values of the Host header that are answered; against pages that point a name of theirs at this machine. Default: all. */
  allowedHosts?: readonly string[]
  /** Answers computed at a time; more than the engine can batch (128) makes no sense. Default 32. */
  maxRunning?: number
  /** Requests that wait for a place before others are refused with 429. Default 256. */
  maxQueue?: number
  /** Most bytes of a request's body. Default 2 MiB. */
  maxBodyBytes?: number
  /** Milliseconds until a body has to be here. Default 30000. */
  bodyTimeout?: number
  /** Stored responses; the oldest make room. Default 1000, and 64 Mi characters in all. */
  maxResponses?: number
  /** Milliseconds that the reader of a stream may take nothing before its answer is ended. Default 30000. */
  stallTimeout?: number
  /** Path under which the handler is mounted, where the framework leaves it in the URL, such as "/api/llm". */
  basePath?: string
  /** Files of a page, answered where the API has nothing; see `webFolder` of cria/server/node. Needs no key. */
  page?: WebFolder
  /** Shown in the OpenAPI document. */
  version?: string
  /** Told of every answered request; of a stream when it has ended. */
  onRequest?: (entry: RequestLog) => void
  /** Told of what no client could help. */
  onError?: (error: unknown) => void
}

export interface RequestLog extends RequestFacts {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Until the headers were ready; of a stream this is the time to its first token. */
  readonly milliseconds: number
}

/** A handler of the Fetch API, with what its owner needs to end it. */
export interface Handler {
  (request: Request): Promise<Response>
  /** The same for who can write plain data. The packets of a body must be asked for. @internal */
  answer(request: Request): Promise<Reply | Response>
  /** Refuses new requests with 503; resolves when the running ones are done. */
  drain(): Promise<void>
  /** Ends what runs at once, and the models that the handler loaded. */
  close(): Promise<void>
}

/**
 * The OpenAI-compatible API over loaded models, or over models to be loaded by name.
 * @throws InvalidOptionError for an option that cannot be used.
 */
export function createHandler(
  models: Models | Readonly<Record<string, Llama | ModelEntry>>,
  options: HandlerOptions = {},
): Handler {
  const facts = new WeakMap<Request, { facts: RequestFacts; done?: Promise<void> }>()
  const context: ServerContext = {
    models: models instanceof Models ? models : new Models(models),
    gate: new Gate(options.maxRunning ?? 32, options.maxQueue ?? 256),
    metrics: new Metrics(),
    responses: new ResponseStore(options.maxResponses ?? 1000, 64 * 2 ** 20),
    limits: {
      maxBodyBytes: options.maxBodyBytes ?? 2 * 2 ** 20,
      bodyTimeout: options.bodyTimeout ?? 30_000,
      stallTimeout: options.stallTimeout ?? 30_000,
    },
    active: new Set(),
    note: (request, more, done) => {
      const before = facts.get(request)
      facts.set(request, { facts: { ...before?.facts, ...more }, done: done ?? before?.done })
    },
  }
  const app = buildApp(context, options)
  const answer = async (request: Request): Promise<Reply | Response> => {
    const start = performance.now()
    const bindings: Bindings = {}
    let reply: Reply | Response
    try {
      const response = await app.fetch(request, bindings)
      reply = bindings.reply ? withHeaders(bindings.reply, response) : response
    } catch (error) {
      reply = answered(error, options)
    }
    const milliseconds = performance.now() - start
    const path = new URL(request.url).pathname
    const { status } = reply
    const known = routeNames.has(path) ? path : "other"
    context.metrics.add("cria_requests_total", "Requests answered", 1, {
      path: known,
      status: String(status),
    })
    context.metrics.observe("cria_request_seconds", "Seconds until an answer's headers", milliseconds / 1000)
    const log = () =>
      options.onRequest?.({
        method: request.method,
        path,
        status,
        milliseconds,
        ...facts.get(request)?.facts,
      })
    void (facts.get(request)?.done ?? Promise.resolve()).then(log)
    return reply
  }
  const handle = async (request: Request): Promise<Response> => {
    const reply = await answer(request)
    return reply instanceof Response ? reply : toResponse(reply)
  }
  return Object.assign(handle, {
    answer,
    drain: () => context.gate.close(),
    close: async () => {
      const empty = context.gate.close()
      for (const abort of context.active) abort.abort(shuttingDown())
      await empty
      await context.models.dispose()
    },
  })
}

const routeNames = new Set(routes.map(({ path }) => path))

/** What a request brings through Hono: the reply comes back here, beside the Response that Hono wants. */
interface Bindings {
  reply?: Reply
}

/** Stands for a reply that is in the bindings. */
const inBindings = new Response(null)

/** A reply with the headers that Hono's middleware has set. */
const withHeaders = (reply: Reply, response: Response): Reply =>
  response === inBindings
    ? reply
    : { ...reply, headers: { ...reply.headers, ...Object.fromEntries(response.headers) } }

function buildApp(context: ServerContext, options: HandlerOptions): Hono<{ Bindings: Bindings }> {
  const keys = new Keys(options.apiKeyHashes ?? [])
  const secured = (options.apiKeyHashes?.length ?? 0) > 0
  const app = new Hono<{ Bindings: Bindings }>({ strict: false }).basePath(options.basePath ?? "/")
  const answerWith = (c: { env: Bindings }, reply: Reply): Response => {
    c.env.reply = reply
    return inBindings
  }
  if (options.allowedHosts) {
    const allowed = new Set(options.allowedHosts.map((host) => host.toLowerCase()))
    app.use(async (c, next) => {
      const host = (c.req.header("host") ?? new URL(c.req.url).host).toLowerCase().replace(/:\d+$/, "")
      if (!allowed.has(host))
        throw new ApiError(403, `this server does not answer to the host name ${host.slice(0, 200)}`)
      await next()
    })
  }
  if (options.cors && options.cors.length > 0)
    app.use(
      cors({
        origin: options.cors.includes("*") ? "*" : [...options.cors],
        allowMethods: ["GET", "POST", "DELETE", "OPTIONS"],
        exposeHeaders: ["retry-after"],
        maxAge: 600,
      }),
    )
  const document = JSON.stringify(openApi(routes, options.version ?? "0", secured))
  const described = { status: 200, headers: { "content-type": "application/json" }, body: document }
  app.get("/openapi.json", (c) => answerWith(c, described))
  const methods = new Map<string, string[]>([["/openapi.json", ["GET", "HEAD"]]])
  for (const { method, path, open, handle } of routes) {
    const allowed = methods.get(path) ?? []
    methods.set(path, [...allowed, ...(method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()])])
    app.on(method.toUpperCase(), path, async (c) => {
      if (!open) await keys.check(c.req.raw)
      return answerWith(c, await handle(context, c.req.raw, c.req.param()))
    })
  }
  for (const [path, allowed] of methods)
    app.all(path, () => {
      throw new ApiError(405, `this path takes ${allowed.join(", ")}`, {
        headers: { allow: allowed.join(", ") },
      })
    })
  const { basePath = "", page } = options
  app.notFound((c) => {
    const path = c.req.path.slice(basePath.replace(/\/$/, "").length)
    return (
      page?.(c.req.raw, path) ??
      answerWith(
        c,
        new ApiError(404, `there is nothing at ${c.req.path.slice(0, 200)}`, { code: "not_found" }).reply,
      )
    )
  })
  app.onError((error, c) => answerWith(c, answered(error, options)))
  return app
}

function answered(error: unknown, options: HandlerOptions): Reply {
  const shown = toApiError(error)
  if (shown.status >= 500 && !(error instanceof ApiError)) options.onError?.(error)
  return shown.reply
}
