// A model on the server that the page came from, by the OpenAI-compatible API.
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

interface ListedModel {
  readonly id: string
  readonly name?: string
  readonly loaded?: boolean
  readonly context_length?: number
  readonly chat?: boolean
  readonly weight_bytes?: number
  readonly sampling?: { readonly temperature: number; readonly top_p: number }
}

interface WireLogprob {
  readonly token: string
  readonly logprob: number
}

/** What a chunk of either API may hold. */
interface Chunk {
  readonly error?: { readonly message?: string }
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null }
    readonly text?: string
    readonly finish_reason?: string | null
    readonly logprobs?: {
      readonly content?: readonly (WireLogprob & { readonly top_logprobs: readonly WireLogprob[] })[] | null
      readonly tokens?: readonly string[]
      readonly token_logprobs?: readonly (number | null)[]
      readonly top_logprobs?: readonly (Readonly<Record<string, number>> | null)[] | null
    } | null
  }[]
}

/** The server asks for a key, or does not know the one it was given. */
export class KeyNeeded extends Error {}

const api = new URL("v1/", document.baseURI)

async function call(path: string, key: string, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) }
  const response = await fetch(new URL(path, api), { ...init, headers })
  if (response.ok) return response
  const { error } = (await response.json().catch(() => ({}))) as { error?: { message?: string } }
  if (response.status === 401) throw new KeyNeeded(error?.message)
  throw new Error(error?.message ?? `HTTP ${response.status}`)
}

/** The models of the server; undefined where the page came from a server without an API. */
export async function serverModels(key: string): Promise<ModelCard[] | undefined> {
  let response: Response
  try {
    response = await call("models", key)
  } catch (error) {
    if (error instanceof KeyNeeded) throw error
    return undefined
  }
  if (!response.headers.get("content-type")?.includes("json")) return undefined
  const { data } = (await response.json()) as { data: ListedModel[] }
  return data.map((model) => ({
    name: model.id,
    title: model.id,
    where: "server",
    chat: model.chat ?? true,
    contextLength: model.context_length,
    bytes: model.weight_bytes,
    sampling: model.sampling && { temperature: model.sampling.temperature, topP: model.sampling.top_p },
    threads: undefined,
    isLlama: isLlamaName(model.id, model.name),
    isDemo: model.id === demoName,
  }))
}

export class ServerEngine implements Engine {
  constructor(
    readonly card: ModelCard,
    private readonly key: string,
  ) {}

  chat(turns: readonly Turn[], asking: Asking): AsyncIterable<Step> {
    const logprobs = asking.probabilities ? { logprobs: true, top_logprobs: 5 } : {}
    return this.#stream("chat/completions", { messages: turns, ...logprobs }, asking)
  }

  complete(prompt: string, asking: Asking): AsyncIterable<Step> {
    return this.#stream("completions", { prompt, ...(asking.probabilities && { logprobs: 5 }) }, asking)
  }

  async close(): Promise<void> {}

  async *#stream(path: string, more: object, asking: Asking): AsyncGenerator<Step> {
    const body = {
      model: this.card.name,
      ...more,
      stream: true,
      stream_options: { include_usage: true },
      ...(asking.temperature !== null && { temperature: asking.temperature }),
      ...(asking.topP !== null && { top_p: asking.topP }),
      min_p: asking.minP,
      repetition_penalty: asking.repetitionPenalty,
      max_tokens: asking.maxTokens,
      ...(asking.seed !== null && { seed: asking.seed }),
    }
    const { signal } = asking
    const response = await call(path, this.key, { method: "POST", body: JSON.stringify(body), signal })
    for await (const chunk of events(response.body!)) {
      if (chunk.error) throw new Error(chunk.error.message)
      const [choice] = chunk.choices ?? []
      const { usage } = chunk
      yield {
        text: choice?.delta?.content ?? choice?.text ?? "",
        choices: choice && choicesOf(choice.logprobs),
        finish: choice?.finish_reason ?? undefined,
        usage: usage
          ? { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens }
          : undefined,
      }
    }
  }
}

function choicesOf(logprobs: NonNullable<Chunk["choices"]>[number]["logprobs"]): Choice[] | undefined {
  if (!logprobs) return undefined
  if (logprobs.content)
    return logprobs.content.map(({ token, logprob, top_logprobs: top }) => ({
      text: token,
      probability: Math.exp(logprob),
      others: top.map((other) => ({ text: other.token, probability: Math.exp(other.logprob) })),
    }))
  return logprobs.tokens?.map((text, i) => ({
    text,
    probability: Math.exp(logprobs.token_logprobs?.[i] ?? 0),
    others: Object.entries(logprobs.top_logprobs?.[i] ?? {}).map(([other, logprob]) => ({
      text: other,
      probability: Math.exp(logprob),
    })),
  }))
}

/** Server-sent events, as far as this API uses them: `data:` lines of JSON up to `[DONE]`. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  let rest = ""
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + value).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        if (!line.startsWith("data:")) continue
        const data = line.slice(5).trim()
        if (data === "[DONE]") return
        yield JSON.parse(data) as Chunk
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
