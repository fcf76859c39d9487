// What goes wrong, in the words of OpenAI's API: a status, a type, a code and the parameter at fault.
import type { z } from "zod"
import {
  ContextOverflowError,
  CriaError,
  DisposedError,
  EngineCrashedError,
  InvalidOptionError,
  ModelNotFoundError,
  OutOfMemoryError,
  UnsupportedError,
} from "../errors/index.js"
import { json, type Reply } from "./reply.js"

export interface ApiErrorOptions {
  readonly param?: string
  readonly code?: string
  /** Seconds after which asking again makes sense. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error that is answered to the client as `{ error: { message, type, param, code } }`. */
export class ApiError extends CriaError {
  readonly status: number
  readonly options: ApiErrorOptions

  constructor(status: number, message: string, options: ApiErrorOptions = {}) {
    super(options.code ?? "api", message, { cause: options.cause })
    this.status = status
    this.options = options
  }

  get body() {
    const { param = null, code = null } = this.options
    return { error: { message: this.message, type: typeOf(this.status), param, code } }
  }

  get reply(): Reply {
    const { retryAfter, headers } = this.options
    return json(this.body, this.status, {
      ...(retryAfter !== undefined && { "retry-after": String(Math.max(1, Math.ceil(retryAfter))) }),
      ...headers,
    })
  }
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error"
  if (status === 403) return "permission_error"
  if (status === 429) return "rate_limit_error"
  return status >= 500 ? "server_error" : "invalid_request_error"
}

export const badRequest = (message: string, param?: string, code?: string): ApiError =>
  new ApiError(400, message, { param, code })

/** The client went away; nobody reads the answer. */
export const clientGone = (): ApiError =>
  new ApiError(499, "the client closed the connection", { code: "client_closed" })

/** Any error as one for the client. What is a fault of our own says no more than that. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof ContextOverflowError) {
    const { promptTokens, contextLength } = error
    const message =
      `This model's maximum context length is ${contextLength} tokens, but the request has ${promptTokens}: ` +
      "shorten the prompt."
    return badRequest(message, "messages", "context_length_exceeded")
  }
  if (error instanceof InvalidOptionError) return badRequest(error.message, undefined, "invalid_value")
  if (error instanceof UnsupportedError) return badRequest(error.message, undefined, "unsupported")
  if (error instanceof ModelNotFoundError)
    return new ApiError(404, error.message, { code: "model_not_found", cause: error })
  if (
    error instanceof OutOfMemoryError ||
    error instanceof EngineCrashedError ||
    error instanceof DisposedError
  )
    return new ApiError(503, error.message, { code: error.code, retryAfter: 2, cause: error })
  const known = error instanceof CriaError ? error.message : "the server failed; its log says why"
  return new ApiError(500, known, { code: "internal_error", cause: error })
}

/** The first complaint of a schema, with the place where it is. */
export function fromZodError(error: z.ZodError): ApiError {
  let issue: z.core.$ZodIssue | undefined = error.issues[0]
  let place = ""
  while (issue !== undefined) {
    for (const key of issue.path)
      place += typeof key === "number" ? `[${key}]` : `${place ? "." : ""}${String(key)}`
    if (issue.code !== "invalid_union" || issue.errors.length === 0) break
    // the alternative that got furthest says more than "no alternative fits"
    const deepest: z.core.$ZodIssue | undefined = issue.errors
      .flatMap((alternative) => alternative.slice(0, 1))
      .filter((candidate) => candidate.path.length > 0)
      .toSorted((a, b) => b.path.length - a.path.length)[0]
    if (deepest === undefined) break
    issue = deepest
  }
  const shown = place.slice(0, 200)
  const what = issue?.message.slice(0, 500) ?? "is malformed"
  return badRequest(shown === "" ? what : `${shown}: ${what}`, shown || undefined, "invalid_value")
}
