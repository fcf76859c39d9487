// The provider: models by name, each loaded when it is first asked for something.
import type { EmbeddingModelV3, ImageModelV3, LanguageModelV3, ProviderV3 } from "@ai-sdk/provider"
import type { Llama } from "../engine/llama.js"
import { ModelNotFoundError, UnsupportedError } from "../errors/index.js"
import { CriaEmbeddingModel } from "./embedding-model.js"
import { CriaLanguageModel } from "./language-model.js"

/** A loaded model, or what loads it; that is called once, and again only where it failed. */
export type ModelSource = Llama | (() => Llama | Promise<Llama>)

/** Called with the name of a model it is `languageModel`. */
export interface CriaProvider<Name extends string = string> extends ProviderV3 {
  (name: Name): LanguageModelV3
  /** For `generateText`, `streamText`, `generateObject`. Chats need a model with a chat template. */
  languageModel(name: Name): LanguageModelV3
  /** For `embed` and `embedMany`: vectors [width] of length 1. */
  embeddingModel(name: Name): EmbeddingModelV3
  /** The same under its former name. */
  textEmbeddingModel(name: Name): EmbeddingModelV3
  /** There are none: throws UnsupportedError. */
  imageModel(name: string): ImageModelV3
}

/**
 * A provider of these models. Who loaded a model disposes of it; the provider never does.
 *
 * All of its functions throw ModelNotFoundError for a name that is not among `models`.
 */
export function createCria<const Models extends Readonly<Record<string, ModelSource>>>(
  models: Models,
): CriaProvider<keyof Models & string> {
  const loading = new Map<string, Promise<Llama>>()
  const loaderOf = (name: string) => {
    if (!Object.hasOwn(models, name))
      throw new ModelNotFoundError(
        `this provider has no model named ${JSON.stringify(name)}; it has ${Object.keys(models).join(", ") || "none"}`,
      )
    const source = models[name]
    return (): Promise<Llama> => {
      let llama = loading.get(name)
      if (llama === undefined) {
        llama = Promise.resolve(typeof source === "function" ? call(source) : source)
        loading.set(name, llama)
        llama.catch(() => loading.delete(name))
      }
      return llama
    }
  }
  const languageModel = (name: string) => new CriaLanguageModel(name, loaderOf(name))
  const embeddingModel = (name: string) => new CriaEmbeddingModel(name, loaderOf(name))
  return Object.assign((name: string) => languageModel(name), {
    specificationVersion: "v3" as const,
    languageModel,
    embeddingModel,
    textEmbeddingModel: embeddingModel,
    imageModel: (name: string): ImageModelV3 => {
      throw new UnsupportedError(`${JSON.stringify(name)}: models here read and write text, not images`)
    },
  })
}

/** A source that throws at once fails as one that rejects. */
const call = async (source: () => Llama | Promise<Llama>): Promise<Llama> => source()
