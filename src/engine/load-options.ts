// What a caller may say about how a model is to be loaded.
import * as z from "zod"
import type { BackendName } from "../backends/backend.js"
import { InvalidOptionError } from "../errors/index.js"
import { weightKinds, type WeightKind } from "../weights/kind.js"
import type { LoadProgress } from "./link.js"

export interface LoadOptions {
  /** Default "auto": the fastest that runs here. */
  backend?: "auto" | BackendName
  /** Threads that compute. Default: the machine's. */
  threads?: number
  /** Longest prompt and answer together, in tokens. Default: the model's, as far as 1 GiB of cache allows. */
  contextLength?: number
  /** Tokens that the cache holds for all sequences together; memory is taken as they come. Default: by contextLength. */
  cacheTokens?: number
  /** How the cache keeps numbers. Default "auto": f16, but f32 where the weights are f32. */
  cacheType?: "auto" | "f16" | "f32"
  /** Kind of weight in memory; see `LoadWeightsOptions`. Default "auto": as in the file. */
  weights?: "auto" | WeightKind
  /** Low-rank adapters to load beside the model: folders in PEFT's format, by names that requests choose them by. */
  adapters?: Record<string, string>
  /** The adapter, by its name in `adapters`, of requests that name none. */
  adapter?: string
  /**
   * Keep the weights on disk as the backend packs them, beside the model or in the user's cache folder, for a start
   * without reading and packing them (Node's native backend only). Default true.
   */
  packedCache?: boolean
  onProgress?: (event: LoadProgress) => void
  /** Gives the load up: it rejects with the signal's reason. */
  signal?: AbortSignal
  /** Runs the engine on the calling thread, which then computes between two turns of its event loop. */
  inProcess?: boolean
  /** Token for the hub. Default: the environment's. */
  token?: string
  /** Branch, tag or commit on the hub. */
  revision?: string
}

/** The part of the options that the engine needs, fit for structured clone. */
export const engineOptions = z.strictObject({
  backend: z.enum(["auto", "native", "wasm", "reference"]).default("auto"),
  threads: z.number().int().min(1).max(1024).optional(),
  contextLength: z
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
  cacheTokens: z
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
  cacheType: z.enum(["auto", "f16", "f32"]).default("auto"),
  weights: z.enum(["auto", ...weightKinds]).default("auto"),
  adapters: z.record(z.string().min(1).max(200), z.string().min(1)).default({}),
  adapter: z.string().optional(),
  packedCache: z.boolean().default(true),
})
export type EngineOptions = z.infer<typeof engineOptions>

const loadOptions = engineOptions.extend({
  onProgress: z.custom<LoadOptions["onProgress"]>((value) => typeof value === "function").optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal).optional(),
  inProcess: z.boolean().default(false),
  token: z.string().optional(),
  revision: z.string().optional(),
})

export function checkLoadOptions(options: unknown): z.infer<typeof loadOptions> {
  const result = loadOptions.safeParse(options ?? {})
  if (result.success) {
    const { adapter, adapters } = result.data
    if (adapter !== undefined && !Object.hasOwn(adapters, adapter))
      throw new InvalidOptionError(
        `adapter ${JSON.stringify(adapter)} is not among those named in \`adapters\``,
      )
    return result.data
  }
  const problems = result.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`)
  throw new InvalidOptionError(`these load options do not work: ${problems.join("; ")}`)
}
