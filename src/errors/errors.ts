// The typed errors of the whole package. A message says what happened, what was expected, what was found and
// what to do next. A user's mistake is one of these; a broken invariant of our own is a plain Error.

/** Base of every error that Cria raises on purpose; `code` is stable and meant for programs. */
export class CriaError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/** An option or argument of the caller is missing, of the wrong type or out of range. */
export class InvalidOptionError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("invalid_option", message, options)
  }
}

/** A file is not what its format says: truncated, damaged, inconsistent or hostile. */
export class InvalidFileError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("invalid_file", message, options)
  }
}

/** The file or request is well-formed, but asks for something that Cria does not do. */
export class UnsupportedError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("unsupported", message, options)
  }
}

/** No model was found under the name or path given. */
export class ModelNotFoundError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("model_not_found", message, options)
  }
}

/** The prompt, or the prompt with its answer, does not fit the context. Carries the numbers. */
export class ContextOverflowError extends CriaError {
  readonly promptTokens: number
  readonly contextLength: number
  constructor(promptTokens: number, contextLength: number, message?: string) {
    super(
      "context_overflow",
      message ??
        `the prompt has ${promptTokens} tokens, but the context holds ${contextLength}: shorten the prompt, ` +
          `load the model with a larger contextLength, or pass contextOverflow: "slide"`,
    )
    this.promptTokens = promptTokens
    this.contextLength = contextLength
  }
}

/** The memory that a model, a cache or a step needs cannot be had. */
export class OutOfMemoryError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("out_of_memory", message, options)
  }
}

/** The engine's worker, or one of its threads, ended while requests were running. */
export class EngineCrashedError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("engine_crashed", message, options)
  }
}

/** The model or engine was disposed and cannot be used any more. */
export class DisposedError extends CriaError {
  constructor(message = "this model was disposed: load it again to use it", options?: ErrorOptions) {
    super("disposed", message, options)
  }
}

/** The browser or disk that models are kept on has no room left, or grants none. */
export class StorageFullError extends CriaError {
  constructor(message: string, options?: ErrorOptions) {
    super("storage_full", message, options)
  }
}

/** A model hub refused, failed, or sent something other than what it promised. */
export class HubError extends CriaError {
  /** HTTP status where there was an answer. */
  readonly status: number | undefined
  constructor(message: string, options?: ErrorOptions & { status?: number }) {
    super("hub", message, options)
    this.status = options?.status
  }
}

/** Training arrived at a number that is none: the loss or the gradient became infinite or undefined. */
export class DivergedError extends CriaError {
  /** The step that could not be made. */
  readonly step: number
  constructor(step: number, what: string, value: number) {
    super(
      "diverged",
      `${what} became ${value} in step ${step}: the run has stopped, and its last checkpoint is whole. Go on from there ` +
        "with a lower learning rate, a longer warm-up or a smaller optimizer.clip; if it happens at once, look at the data",
    )
    this.step = step
  }
}
