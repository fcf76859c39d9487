// One answer of a task: its tokens, how the next is chosen, the text that can be shown, and when it ends.
import type { Tokenizer } from "../tokenizer/index.js"
import type { Constraint, ConstraintState } from "../constraints/index.js"
import { constrain } from "./constrain.js"
import type { FinishReason, Piece } from "./options.js"
import type { GenerateRequest } from "./protocol.js"
import { uniform } from "./random.js"
import { PromptLookup } from "./prompt-lookup.js"
import { penalize, type Sampler, type TokenHistory } from "./sampler.js"
import { nowhere, type Place, type Sequence } from "./sequence.js"
import { StopStrings } from "./stop-strings.js"

/** Pieces of a task that wait to be sent together. */
const mostWaiting = 64

/** A request for one or more answers to a prompt. */
export class Task {
  readonly promptTokens: ReadonlySet<number>
  readonly stopTokens: ReadonlySet<number>
  readonly answers: Answer[] = []
  /** Pieces that may still be sent; those that wait to be sent count. */
  credit: number
  #waiting: Piece[] = []
  /** When waiting pieces are to be sent. */
  #due = 0
  /** Prompt tokens found in the prefix cache at the first admission. */
  cachedTokens: number | undefined

  constructor(
    readonly id: number,
    readonly order: number,
    readonly request: GenerateRequest,
    readonly tokenizer: Tokenizer,
    readonly contextLength: number,
    /** What all answers keep to. */
    readonly constraint?: Constraint,
  ) {
    const { sampling } = request
    this.promptTokens = sampling.repetitionPenalty === 1 ? new Set() : new Set(request.prompt)
    this.stopTokens = new Set(request.stopTokens)
    this.credit = request.credit
    this.answers.push(new Answer(this, 0))
  }

  get ended(): boolean {
    return this.answers.every((answer) => answer.ended)
  }

  /** Takes in a piece that is to be sent. */
  add(piece: Piece): void {
    this.credit--
    this.#waiting.push(piece)
  }

  /**
   * The pieces that are to be sent now: those that waited long enough, are many, or have nothing more to wait for. The
   * interval is doubled until it is no shorter than `least`. It is of the clock, not of the task: the intervals of many
   * tasks end together, and wake who takes their pieces once.
   */
  due(now: number, least: number): readonly Piece[] {
    const pieces = this.#waiting
    if (pieces.length === 0) return pieces
    if (now < this.#due && pieces.length < mostWaiting && this.credit > 0 && !this.ended) return []
    const { interval } = this.request
    if (interval > 0) {
      const longer = interval * 2 ** Math.max(0, Math.ceil(Math.log2(least / interval)))
      this.#due = (Math.floor(now / longer) + 1) * longer
    }
    this.#waiting = []
    return pieces
  }
}

export class Answer implements Sequence, TokenHistory {
  readonly order: number
  readonly place: Place = nowhere()
  readonly firstPosition = 0
  readonly shares = true
  readonly wantsAll = false
  readonly wantsStates = false
  readonly generated = new Map<number, number>()
  ended = false
  readonly #tokens: number[] = []
  readonly #decoder
  readonly #stops: StopStrings
  readonly #constraint: ConstraintState | undefined
  readonly lookup = new PromptLookup()

  constructor(
    readonly task: Task,
    readonly index: number,
  ) {
    const { request, tokenizer } = task
    this.order = task.order + index / 1024
    this.#decoder = tokenizer.decoder({ after: request.prompt.at(-1) })
    this.#stops = new StopStrings(request.stop)
    this.#constraint = task.constraint?.begin()
  }

  get length(): number {
    return this.task.request.prompt.length + this.#tokens.length
  }

  token(index: number): number {
    const { prompt } = this.task.request
    return index < prompt.length ? prompt[index] : this.#tokens[index - prompt.length]
  }

  get promptTokens(): ReadonlySet<number> {
    return this.task.promptTokens
  }

  get slides(): boolean {
    return this.task.request.slide
  }

  get adapter(): string | undefined {
    return this.task.request.adapter
  }

  guess(most: number): readonly number[] {
    const { request, credit } = this.task
    // not before the first token, which may be that of several answers; and no more than may be sent
    if (!request.promptLookup || this.#tokens.length === 0) return []
    return this.lookup.guess(this, Math.min(most, credit - 1))
  }

  get paused(): boolean {
    return this.task.credit <= 0
  }

  /** Chooses the next token by these logits [V], which it may change. Returns what it adds to the text. */
  next(logits: Float32Array, sampler: Sampler): Piece {
    const { request, stopTokens, tokenizer } = this.task
    const { sampling, logprobs: alternatives } = request
    const constraint = this.#constraint
    if (constraint?.mustEnd) return this.end("stop")
    const raw = alternatives === undefined ? undefined : logits.slice()
    penalize(logits, sampling, this)
    if (constraint) constrain(logits, constraint, stopTokens)
    const random = uniform((request.seed + this.index) % 2 ** 53, this.#tokens.length)
    const token = sampler.choose(logits, sampling, random)
    if (stopTokens.has(token)) return this.end("stop")
    this.#tokens.push(token)
    constraint?.accept(token)
    this.generated.set(token, (this.generated.get(token) ?? 0) + 1)
    // a model may have more rows than its tokenizer has tokens; those stand for nothing
    const { text, stopped } = this.#stops.push(token < tokenizer.size ? this.#decoder.push(token) : "")
    const logprobs = raw && this.#logprobs(raw, token, alternatives!, sampler)
    const piece: Piece = { text, token, index: this.index, ...(logprobs && { logprobs }) }
    if (stopped) return { ...piece, ...this.#ending("stop") }
    if (constraint?.mustEnd) {
      const end = this.end("stop")
      return { ...piece, ...end, text: text + end.text }
    }
    const full =
      this.#tokens.length === request.maxTokens || (!this.slides && this.length >= this.task.contextLength)
    if (!full) return piece
    const end = this.end("length")
    return { ...piece, ...end, text: text + end.text }
  }

  /** The last piece, with the text that was held back. */
  end(reason: FinishReason): Piece {
    const { text, stopped } = this.#stops.push(this.#decoder.flush())
    const rest = stopped ? text : text + this.#stops.flush()
    return { text: rest, index: this.index, ...this.#ending(stopped ? "stop" : reason) }
  }

  #ending(finishReason: FinishReason): Pick<Piece, "finishReason" | "usage"> {
    this.ended = true
    const { request, cachedTokens = 0 } = this.task
    const usage = { promptTokens: request.prompt.length, cachedTokens, completionTokens: this.#tokens.length }
    return { finishReason, usage }
  }

  #logprobs(raw: Float32Array, token: number, alternatives: number, sampler: Sampler): Piece["logprobs"] {
    const { tokenizer } = this.task
    const { logprob, top } = sampler.logprobs(raw, token, alternatives)
    const text = (id: number) => (id < tokenizer.size ? tokenizer.decode([id], { special: true }) : "")
    return { logprob, top: top.map((other) => ({ ...other, text: text(other.token) })) }
  }
}
