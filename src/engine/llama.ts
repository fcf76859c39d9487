// The face of the whole system: a loaded model that is asked for logits, texts and chats. The engine behind it runs on
// a thread of its own; only the tokenizer works here. How models are found and loaded is a matter of the platform:
// node-llama.ts, and browser/ for pages.
import { type ChatOptions, encodeChat, type Message } from "../chat/index.js"
import { ContextOverflowError, InvalidOptionError, UnsupportedError } from "../errors/index.js"
import type { ModelConfig } from "../model/config.js"
import { Tokenizer } from "../tokenizer/index.js"
import { withToolCalls } from "./chat-pieces.js"
import { EngineClient } from "./client.js"
import { constraintText } from "./constrain.js"
import { Generation } from "./generation.js"
import type { LoadedModel, LoadProgress, ModelInfo, OpenLink } from "./link.js"
import { checkGenerateOptions, type GenerateOptions } from "./options.js"
import type { EngineStats, GenerateRequest } from "./protocol.js"
import { randomSeed } from "./random.js"

/** What `chat` takes beside the messages. */
export interface ChatGenerateOptions extends Omit<GenerateOptions, "special">, Omit<ChatOptions, "template"> {
  /** A Jinja template; null for the built-in format. Default: the template that the model brings, else built in. */
  template?: string | null
}

/** What requests without a sampler take. */
export interface AdapterChoice {
  /** As in `GenerateOptions`. */
  adapter?: string | null
  signal?: AbortSignal
}

const pythonTag = "<|python_tag|>"

export class Llama implements AsyncDisposable {
  readonly config: ModelConfig
  /** Works on the calling thread, at once. */
  readonly tokenizer: Tokenizer
  readonly info: ModelInfo
  readonly #client: EngineClient
  readonly #loaded: LoadedModel

  protected constructor(client: EngineClient, loaded: LoadedModel) {
    this.#client = client
    this.#loaded = loaded
    this.config = loaded.config
    this.info = loaded.info
    this.tokenizer = Tokenizer.deserialize(loaded.tokenizer)
  }

  /** Loads by a link of the caller's making. @internal */
  static async open(
    open: OpenLink,
    hooks: { onProgress?: (progress: LoadProgress) => void; signal?: AbortSignal } = {},
  ): Promise<Llama> {
    const { client, loaded } = await EngineClient.open(open, hooks)
    return new this(client, loaded)
  }

  /**
   * Logits [ids.length, vocabularySize] of a text, row by row: row i is about the token after `ids[i]`.
   * `firstPosition` is the position of `ids[0]`.
   *
   * @throws ContextOverflowError, OutOfMemoryError, InvalidOptionError.
   */
  async logits(
    ids: ArrayLike<number>,
    { firstPosition = 0, adapter, signal }: AdapterChoice & { firstPosition?: number } = {},
  ): Promise<Float32Array> {
    const { contextLength } = this.info
    if (ids.length > contextLength) throw new ContextOverflowError(ids.length, contextLength)
    return this.#client.score(
      tokenIds(ids),
      firstPosition,
      this.config.vocabularySize,
      this.#adapter(adapter),
      signal,
    )
  }

  /**
   * A vector [width] that stands for a text, of length 1: the mean of the hidden states x_t after the last norm,
   * m = (1/T) sum x_t, as m / |m|. A string is read after one start token, ids as they are.
   *
   * @throws ContextOverflowError, OutOfMemoryError, InvalidOptionError.
   */
  async embed(
    text: string | ArrayLike<number>,
    { adapter, signal }: AdapterChoice = {},
  ): Promise<Float32Array> {
    const ids = typeof text === "string" ? this.#encode(text, false) : tokenIds(text)
    const { contextLength } = this.info
    if (ids.length > contextLength) throw new ContextOverflowError(ids.length, contextLength)
    return this.#client.embed(ids, this.#adapter(adapter), signal)
  }

  /** Continues a text (after one start token) or a list of token ids (as they are). */
  generate(prompt: string | ArrayLike<number>, options?: GenerateOptions): Generation {
    const checked = checkGenerateOptions(options)
    return new Generation((interval) => {
      const ids =
        typeof prompt === "string" ? this.#encode(prompt, checked.special ?? false) : tokenIds(prompt)
      return this.#client.generate({ ...this.#request(ids, checked), interval }, checked.signal)
    })
  }

  /**
   * Answers a conversation. With `tools` (or `builtinTools`) the last piece of an answer may carry `toolCalls`, whose
   * text is then left out.
   */
  chat(messages: readonly Message[], options: ChatGenerateOptions = {}): Generation {
    const { generating, chatting } = this.#splitOptions(options)
    const checked = checkGenerateOptions(generating)
    if (!this.info.hasChat && chatting.template === undefined) {
      throw new UnsupportedError(
        "this model brings no chat template and has no chat tokens: it is a base model, use generate instead of chat",
      )
    }
    return new Generation((interval) => {
      const ids = Int32Array.from(encodeChat(messages, this.tokenizer, chatting))
      const pieces = this.#client.generate({ ...this.#request(ids, checked), interval }, checked.signal)
      const { tools = [], builtinTools = [] } = chatting
      if (tools.length + builtinTools.length === 0) return pieces
      return withToolCalls(pieces, tools, { text: pythonTag, id: this.tokenizer.idOf(pythonTag) })
    })
  }

  /** The adapter of a request; undefined for none. */
  #adapter(choice: string | null | undefined): string | undefined {
    return choice === undefined ? this.info.adapter : (choice ?? undefined)
  }

  /** How busy the engine is, and what it holds. */
  async stats(): Promise<EngineStats> {
    return this.#client.stats()
  }

  /** Ends the engine and frees its memory. What runs ends with DisposedError; so does every later call. */
  async dispose(): Promise<void> {
    await this.#client.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  /** Exactly one start token, then the text. */
  #encode(text: string, special: boolean): Int32Array {
    const ids = this.tokenizer.encode(text, { special })
    const bos = this.config.bos ?? this.tokenizer.bos
    return Int32Array.from(bos === undefined || ids[0] === bos ? ids : [bos, ...ids])
  }

  #request(prompt: Int32Array, options: GenerateOptions): Omit<GenerateRequest, "credit" | "interval"> {
    const { info, stopTokens } = this.#loaded
    const { stop = [], logprobs = false, logitBias = {} } = options
    return {
      prompt,
      sampling: {
        temperature: options.temperature ?? info.sampling.temperature,
        topK: options.topK ?? 0,
        topP: options.topP ?? info.sampling.topP,
        minP: options.minP ?? 0,
        typicalP: options.typicalP ?? 1,
        repetitionPenalty: options.repetitionPenalty ?? 1,
        frequencyPenalty: options.frequencyPenalty ?? 0,
        presencePenalty: options.presencePenalty ?? 0,
        penaltyTokens: options.penaltyTokens,
        logitBias: Object.entries(logitBias).map(([token, bias]) => [Number(token), bias]),
      },
      seed: options.seed ?? randomSeed(),
      maxTokens: options.maxTokens,
      stop: typeof stop === "string" ? [stop] : stop,
      stopTokens: [...(options.ignoreEos ? [] : stopTokens), ...(options.stopTokens ?? [])],
      logprobs: logprobs === false ? undefined : logprobs === true ? 0 : logprobs,
      n: options.n ?? 1,
      slide: options.contextOverflow === "slide",
      promptLookup: options.promptLookup ?? true,
      constraint: options.constraint && constraintText(options.constraint),
      adapter: this.#adapter(options.adapter),
    }
  }

  /** The options of the chat format beside those of the generation, with the model's own template. */
  #splitOptions(options: ChatGenerateOptions): { chatting: ChatOptions; generating: GenerateOptions } {
    const chatting: Record<string, unknown> = {}
    const generating: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(options)) {
      ;(chatOptionNames.has(name) ? chatting : generating)[name] = value
    }
    const template = options.template === undefined ? this.info.chatTemplate : (options.template ?? undefined)
    const textOf = (token: number | undefined) =>
      [...this.tokenizer.special].find(([, id]) => id === token)?.[0]
    return {
      chatting: {
        bosToken: textOf(this.config.bos ?? this.tokenizer.bos),
        eosToken: textOf(this.tokenizer.eos),
        ...chatting,
        template,
      },
      generating,
    }
  }
}

const chatOptionNames: ReadonlySet<string> = new Set<keyof ChatOptions>([
  "tools",
  "template",
  "toolsIn",
  "toolStyle",
  "builtinTools",
  "date",
  "dateLines",
  "addGenerationPrompt",
  "continueLast",
  "templateVariables",
  "bosToken",
  "eosToken",
  "limits",
])

/** Checked here, where the caller's stack is; whether the model knows them the engine checks. */
function tokenIds(ids: ArrayLike<number>): Int32Array {
  const wrong = Array.from(ids).findIndex((id) => !Number.isInteger(id) || id < 0 || id > 2 ** 31 - 1)
  if (wrong >= 0)
    throw new InvalidOptionError(
      `token ids must be whole numbers from 0, but item ${wrong} is ${String(ids[wrong])}`,
    )
  return Int32Array.from(ids)
}
