// What a client needs of an engine, wherever that runs: in this thread or in another.
import type { ModelConfig } from "../model/config.js"
import type { TokenizerData } from "../tokenizer/index.js"
import type { WeightKind } from "../weights/kind.js"
import type { Command, EngineEvent } from "./protocol.js"

/** What there is to know about a loaded model. */
export interface ModelInfo {
  readonly path: string
  readonly format: string
  readonly name?: string
  /** Bytes of each kind of weight in memory, matrices only. */
  readonly weights: Partial<Record<WeightKind, number>>
  readonly weightBytes: number
  /** Bytes of matrices that writing one token reads: all but an embedding that is not the output too. */
  readonly tokenBytes: number
  /** One line for people. */
  readonly backend: string
  readonly backendName: string
  readonly threads: number
  /** Longest prompt and answer together, in tokens. */
  readonly contextLength: number
  /** Tokens that the cache holds for all sequences together, and the bytes that takes when it is full. */
  readonly cacheTokens: number
  readonly cacheBytes: number
  /** Names of the adapters that requests may choose, and the one that they have without a choice. */
  readonly adapters?: readonly string[]
  readonly adapter?: string
  readonly chatTemplate?: string
  /** How requests sample that do not say it: as the model's makers recommend. */
  readonly sampling: { readonly temperature: number; readonly topP: number }
  /** Whether `chat` works: the model brings a template or has the tokens of the Llama 3 format. */
  readonly hasChat: boolean
}

/** What the engine tells once it has loaded: plain data. */
export interface LoadedModel {
  readonly config: ModelConfig
  readonly info: ModelInfo
  readonly tokenizer: TokenizerData
  /** The model's own stop tokens and those of its chat format. */
  readonly stopTokens: readonly number[]
  /** The backend's interrupt cell, where memory can be shared. */
  readonly interrupt: Int32Array | undefined
}

/** How far a load is. */
export interface LoadProgress {
  readonly stage: "download" | "weights"
  /** Bytes done and, where it is known, in all. */
  readonly loaded: number
  readonly total: number | undefined
  /** File being downloaded. */
  readonly file?: string
}

export interface LinkHandlers {
  onEvent(event: EngineEvent): void
  /** The engine is gone without having been asked to go. */
  onCrash(error: Error): void
}

export interface Link {
  readonly loaded: LoadedModel
  post(command: Command): void
  /** Whether the process stays alive for the engine's sake. */
  keepAlive(on: boolean): void
  /** Ends the engine and frees what it holds. */
  close(): Promise<void>
}

/** Loads a model into a new engine. Rejects with what went wrong, or with the signal's reason. */
export type OpenLink = (
  handlers: LinkHandlers,
  options: { readonly onProgress?: (progress: LoadProgress) => void; readonly signal?: AbortSignal },
) => Promise<Link>
