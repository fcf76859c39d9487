// What the page asks of a model, wherever it runs.

export interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/** A token that was chosen, and what else it might have been; probabilities from 0 to 1. */
export interface Choice {
  readonly text: string
  readonly probability: number
  readonly others: readonly { readonly text: string; readonly probability: number }[]
}

export interface Usage {
  readonly promptTokens: number
  readonly completionTokens: number
}

/** A step of an answer. */
export interface Step {
  readonly text: string
  readonly choices?: readonly Choice[]
  readonly usage?: Usage
  /** "length": the answer was cut off. */
  readonly finish?: string
}

export interface Parameters {
  /** null: as the model's makers recommend. */
  temperature: number | null
  topP: number | null
  minP: number
  repetitionPenalty: number
  maxTokens: number
  /** null: another one each time. */
  seed: number | null
}

export interface Asking extends Parameters {
  readonly probabilities: boolean
  readonly signal: AbortSignal
}

/** What there is to say about a model. */
export interface ModelCard {
  /** How it is asked for: on a server its id, in the browser the name under which it is kept. */
  readonly name: string
  /** What people call it. */
  readonly title: string
  readonly where: "server" | "browser"
  /** Whether it answers; a base model only continues texts. */
  readonly chat: boolean
  readonly contextLength: number | undefined
  readonly bytes: number | undefined
  /** What its makers recommend, where that is known. */
  readonly sampling: { readonly temperature: number; readonly topP: number } | undefined
  readonly threads: number | undefined
  /** Whether the licence asks for "Built with Llama". */
  readonly isLlama: boolean
  /** Whether this is the demonstration model that comes with Cria. */
  readonly isDemo: boolean
}

export interface Engine {
  readonly card: ModelCard
  chat(turns: readonly Turn[], asking: Asking): AsyncIterable<Step>
  /** Continues a text. */
  complete(text: string, asking: Asking): AsyncIterable<Step>
  close(): Promise<void>
}

/** Name of the demonstration model, as its file is called. */
export const demoName = "cria-demo"

export const isLlamaName = (...names: readonly (string | undefined)[]): boolean =>
  names.some((name) => /llama/i.test(name ?? ""))
