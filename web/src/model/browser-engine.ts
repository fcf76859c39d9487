// A model in this browser, behind the page's interface.
import { type GenerateOptions, Llama, type LoadProgress, type ModelSource, type Piece } from "cria/browser"
import {
  type Asking,
  type Choice,
  demoName,
  type Engine,
  isLlamaName,
  type ModelCard,
  type Step,
  type Turn,
} from "./engine.js"

export class BrowserEngine implements Engine {
  readonly card: ModelCard
  readonly #llama: Llama

  private constructor(llama: Llama, name: string) {
    const { info } = llama
    this.#llama = llama
    this.card = {
      name,
      title: info.name ?? name,
      where: "browser",
      chat: info.hasChat,
      contextLength: info.contextLength,
      bytes: info.weightBytes,
      sampling: info.sampling,
      threads: info.threads,
      isLlama: isLlamaName(info.name, name),
      isDemo: name === demoName,
    }
  }

  static async load(
    source: ModelSource,
    name: string,
    options: { onProgress: (progress: LoadProgress) => void; signal: AbortSignal },
  ): Promise<BrowserEngine> {
    return new BrowserEngine(await Llama.load(source, options), name)
  }

  chat(turns: readonly Turn[], asking: Asking): AsyncIterable<Step> {
    return steps(this.#llama.chat(turns, optionsOf(asking)))
  }

  complete(text: string, asking: Asking): AsyncIterable<Step> {
    return steps(this.#llama.generate(text, optionsOf(asking)))
  }

  close(): Promise<void> {
    return this.#llama.dispose()
  }
}

function optionsOf({ seed, temperature, topP, probabilities, ...asking }: Asking): GenerateOptions {
  return {
    ...asking,
    seed: seed ?? undefined,
    temperature: temperature ?? undefined,
    topP: topP ?? undefined,
    ...(probabilities && { logprobs: 5 }),
  }
}

async function* steps(pieces: AsyncIterable<Piece>): AsyncGenerator<Step> {
  for await (const { text, logprobs, usage, finishReason } of pieces) {
    const choices: Choice[] | undefined = logprobs && [
      {
        text,
        probability: Math.exp(logprobs.logprob),
        others: logprobs.top.map((other) => ({ text: other.text, probability: Math.exp(other.logprob) })),
      },
    ]
    yield { text, choices, usage, finish: finishReason }
  }
}
