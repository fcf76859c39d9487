// Errors as plain data, so that they keep their class, code and numbers when they cross to another thread.
import * as errors from "../errors/index.js"

export interface ErrorData {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly promptTokens?: number
  readonly contextLength?: number
  readonly status?: number
}

export function toErrorData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) }
  const { name, message, stack } = error
  if (error instanceof errors.ContextOverflowError) {
    const { code, promptTokens, contextLength } = error
    return { name, message, code, stack, promptTokens, contextLength }
  }
  if (error instanceof errors.HubError)
    return { name, message, code: error.code, stack, status: error.status }
  return error instanceof errors.CriaError
    ? { name, message, code: error.code, stack }
    : { name, message, stack }
}

const plain: Record<string, new (message: string) => errors.CriaError> = {
  invalid_option: errors.InvalidOptionError,
  invalid_file: errors.InvalidFileError,
  unsupported: errors.UnsupportedError,
  model_not_found: errors.ModelNotFoundError,
  out_of_memory: errors.OutOfMemoryError,
  storage_full: errors.StorageFullError,
  engine_crashed: errors.EngineCrashedError,
  disposed: errors.DisposedError,
}

export function fromErrorData(data: ErrorData): Error {
  const { message, code } = data
  if (code === "context_overflow") {
    return new errors.ContextOverflowError(data.promptTokens ?? 0, data.contextLength ?? 0, message)
  }
  if (code === "hub") return new errors.HubError(message, { status: data.status })
  if (code !== undefined) return plain[code] ? new plain[code](message) : new errors.CriaError(code, message)
  const error = new Error(message)
  error.name = data.name
  if (data.stack) error.stack = data.stack
  return error
}
