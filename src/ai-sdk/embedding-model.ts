// Texts to vectors under the AI SDK's interface.
import type { EmbeddingModelV3, EmbeddingModelV3CallOptions, EmbeddingModelV3Result } from "@ai-sdk/provider"
import { idsOf } from "../engine/api-values.js"
import type { Llama } from "../engine/llama.js"

export class CriaEmbeddingModel implements EmbeddingModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = "cria"
  /** Texts that are given to the engine together; longer lists the SDK splits, */
  readonly maxEmbeddingsPerCall = 8
  /** and sends their parts one after the other, since they share one processor. */
  readonly supportsParallelCalls = false
  readonly #load: () => Promise<Llama>

  constructor(
    readonly modelId: string,
    load: () => Promise<Llama>,
  ) {
    this.#load = load
  }

  async doEmbed({ values, abortSignal }: EmbeddingModelV3CallOptions): Promise<EmbeddingModelV3Result> {
    const llama = await this.#load()
    const texts = values.map((text) => idsOf(llama, text))
    const vectors = await Promise.all(texts.map((ids) => llama.embed(ids, { signal: abortSignal })))
    return {
      embeddings: vectors.map((vector) => Array.from(vector)),
      usage: { tokens: texts.reduce((sum, ids) => sum + ids.length, 0) },
      warnings: [],
    }
  }
}
