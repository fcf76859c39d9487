// The engine: runs requests of all kinds through the model, many at a time, step by step. A step is a transaction:
// nothing advances before its logits are there. Knows no thread and no file; what it has to say it emits.
import type { Adapter } from "../adapters/index.js"
import { type Backend, Interrupted } from "../backends/backend.js"
import {
  ContextOverflowError,
  DisposedError,
  EngineCrashedError,
  InvalidOptionError,
  OutOfMemoryError,
  UnsupportedError,
} from "../errors/index.js"
import { KvCache } from "../model/kv-cache.js"
import type { Model } from "../model/llama.js"
import type { PageStore } from "../ops/ops.js"
import type { Tokenizer } from "../tokenizer/index.js"
import { Answer, Task } from "./answer.js"
import { checkAdapter, checkTokens } from "./check-request.js"
import { compute, wanted } from "./compute.js"
import { Embedding } from "./embedding.js"
import { Constraints } from "./constrain.js"
import { toErrorData } from "./error-data.js"
import { Pace } from "./pace.js"
import { CopyLog } from "./copy-log.js"
import type { EngineEvent, EngineStats, GenerateRequest, StepEvent } from "./protocol.js"
import { Sampler } from "./sampler.js"
import { type Chunk, rowsOf, Scheduler } from "./scheduler.js"
import { Scoring } from "./scoring.js"
import type { Sequence } from "./sequence.js"
import { turnOfEvents } from "./turn.js"

/** What an engine works with; it disposes the backend, and all that is on it, at its end. */
export interface EngineParts {
  readonly backend: Backend
  readonly model: Model
  readonly tokenizer: Tokenizer
  /** The pages of its cache: at least one sequence of `contextLength` tokens fits. */
  readonly pages: PageStore
  readonly contextLength: number
  /** Adapters that requests may name. */
  readonly adapters?: ReadonlyMap<string, Adapter>
}

/**
 * Groups of pieces a second that all tasks with an interval send together: to pass one on to a client costs as much as
 * computing an eighth of a token of a small model.
 */
const mostGroups = 200
/** Sequences in the cache at once. */
const mostSequences = 128
/** Logits of one step for scoring, in values: 16 MiB. */
const mostScoredLogits = 1 << 22

export class Engine {
  readonly #parts: EngineParts
  readonly #emit: (event: EngineEvent) => void
  readonly #onFatal: (error: EngineCrashedError) => void
  readonly #copies: CopyLog
  readonly #cache: KvCache
  readonly #scheduler: Scheduler
  readonly #sampler: Sampler
  readonly #pace: Pace
  readonly #constraints: Constraints
  readonly #tasks = new Map<number, Task>()
  readonly #scorings = new Map<number, Scoring | Embedding>()
  #orders = 0
  #counts = { prompt: 0, generated: 0, guessed: 0, right: 0, steps: 0 }
  #event = emptyEvent()
  /** Of the last step; a fresh array for each would cost as much as choosing a token. */
  #logits: Float32Array = new Float32Array()
  #awake = false
  #running: Promise<void> | undefined
  #disposed = false

  /** `onFatal` is told when the backend broke down: what runs is lost, and the engine is of no use any more. */
  constructor(
    parts: EngineParts,
    emit: (event: EngineEvent) => void,
    onFatal: (error: EngineCrashedError) => void,
  ) {
    this.#parts = parts
    this.#emit = emit
    this.#onFatal = onFatal
    this.#copies = new CopyLog(parts.pages)
    this.#cache = new KvCache(this.#copies)
    const { vocabularySize } = parts.model.config
    this.#scheduler = new Scheduler(this.#cache, {
      contextLength: parts.contextLength,
      sequences: mostSequences,
      scoredRows: Math.max(1, Math.floor(mostScoredLogits / vocabularySize)),
    })
    this.#sampler = new Sampler(vocabularySize)
    this.#constraints = new Constraints(parts.tokenizer)
    this.#pace = new Pace(parts.backend.interrupt !== undefined)
  }

  /** Starts a task; its pieces, its end and its errors are emitted under this id. */
  generate(id: number, request: GenerateRequest): void {
    this.#accept(id, () => {
      const { contextLength, tokenizer, model, pages, adapters } = this.#parts
      const { vocabularySize } = model.config
      const { prompt, slide, maxTokens, n, sampling } = request
      checkTokens(prompt, vocabularySize, "the prompt")
      checkAdapter(request.adapter, adapters)
      if (slide && contextLength < 2 * pages.layout.pageTokens) {
        throw new UnsupportedError(`a context of ${contextLength} tokens is too short to slide`)
      }
      if (!slide && prompt.length >= contextLength)
        throw new ContextOverflowError(prompt.length, contextLength)
      const unknown = sampling.logitBias.find(([token]) => token >= vocabularySize)
      if (unknown)
        throw new InvalidOptionError(`logitBias names token ${unknown[0]}, which the model does not have`)
      const constraint = request.constraint && this.#constraints.of(request.constraint)
      const task = new Task(id, this.#orders++, request, tokenizer, contextLength, constraint)
      this.#tasks.set(id, task)
      if (maxTokens === 0) {
        for (let index = 1; index < n; index++) task.answers.push(new Answer(task, index))
        for (const answer of task.answers) task.add(answer.end("length"))
        this.#endIfDone(task)
      } else this.#scheduler.add(task.answers[0])
    })
  }

  /** Computes the logits [ids.length, V] of a text; they are emitted in rows under this id. */
  score(id: number, ids: Int32Array, firstPosition: number, adapter?: string): void {
    this.#accept(id, () => {
      const { contextLength, model, adapters } = this.#parts
      checkTokens(ids, model.config.vocabularySize, "the text")
      checkAdapter(adapter, adapters)
      if (ids.length > contextLength) throw new ContextOverflowError(ids.length, contextLength)
      const scoring = new Scoring(id, this.#orders++, ids, firstPosition, adapter)
      this.#scorings.set(id, scoring)
      this.#scheduler.add(scoring)
    })
  }

  /** Computes the vector [D] of a text; it is emitted as the one row of this id. */
  embed(id: number, ids: Int32Array, adapter?: string): void {
    this.#accept(id, () => {
      const { contextLength, model, adapters } = this.#parts
      checkTokens(ids, model.config.vocabularySize, "the text")
      checkAdapter(adapter, adapters)
      if (ids.length > contextLength) throw new ContextOverflowError(ids.length, contextLength)
      const embedding = new Embedding(id, this.#orders++, ids, adapter, model.config.width)
      this.#scorings.set(id, embedding)
      this.#scheduler.add(embedding)
    })
  }

  /** Lets a task send that many more pieces. */
  grant(id: number, credit: number): void {
    const task = this.#tasks.get(id)
    if (!task) return
    task.credit += credit
    this.#wake()
  }

  /** Ends a request without a word; its pages are free at once. */
  cancel(id: number): void {
    this.#forget(id)
    this.#wake()
  }

  stats(): EngineStats {
    const { totalPages, freePages, cachedPages, pageTokens } = this.#cache
    return {
      running: this.#scheduler.running,
      waiting: this.#scheduler.waiting,
      pages: { total: totalPages, free: freePages, cached: cachedPages, tokens: pageTokens },
      promptTokens: this.#counts.prompt,
      generatedTokens: this.#counts.generated,
      guessedTokens: this.#counts.guessed,
      acceptedTokens: this.#counts.right,
      steps: this.#counts.steps,
      preemptions: this.#scheduler.preemptions,
      tokensPerSecond: this.#pace.tokensPerSecond,
      memoryBytes: this.#parts.backend.allocatedBytes,
    }
  }

  /** Fails all requests with DisposedError, then frees everything. */
  async dispose(): Promise<void> {
    if (!this.#disposed) {
      this.#disposed = true
      this.#failAll(new DisposedError())
      this.#flush()
      if (this.#parts.backend.interrupt) Atomics.store(this.#parts.backend.interrupt, 0, 1)
    }
    await this.#running
    await this.#parts.backend.dispose()
  }

  /** Takes a request in; what is wrong with it is emitted as its error. */
  #accept(id: number, start: () => void): void {
    try {
      if (this.#disposed) throw new DisposedError()
      if (this.#tasks.has(id) || this.#scorings.has(id))
        throw new InvalidOptionError(`request ${id} runs already`)
      start()
    } catch (error) {
      this.#event.failed.push([id, toErrorData(error)])
    }
    this.#wake()
  }

  #wake(): void {
    this.#awake = true
    this.#running ??= this.#run()
  }

  /** Steps until there is nothing left to do. */
  async #run(): Promise<void> {
    while (this.#awake) {
      await turnOfEvents() // messages are handled between steps
      this.#awake = false
      if (!this.#disposed && (await this.#step())) this.#awake = true
      this.#flush()
    }
    this.#running = undefined
  }

  #flush(): void {
    const event = this.#event
    if (event.pieces.length + event.rows.length + event.ended.length + event.failed.length === 0) return
    this.#event = emptyEvent()
    this.#emit(event)
  }

  /** One step. False when nothing can go on. */
  async #step(): Promise<boolean> {
    let chunks: Chunk[] = []
    try {
      chunks = this.#scheduler.plan(this.#pace.rows, this.#pace.readingRows)
      const starved = this.#scheduler.takeStarved()
      for (const sequence of starved) this.#fail(sequence, tooLarge())
      if (chunks.length === 0) return starved.length > 0
      const start = performance.now()
      const cached = (chunk: Chunk) => this.#scheduler.cached(chunk)
      const { logits, states } = await compute(this.#parts, chunks, cached, this.#logits)
      this.#logits = logits
      if (this.#disposed) return false
      this.#copies.unsure.clear()
      const generated = this.#counts.generated
      const rows = this.#advance(chunks, logits, states)
      const now = performance.now()
      for (const task of this.#tasks.values()) this.#send(task, now)
      this.#counts.steps++
      this.#pace.report(rows, this.#counts.generated - generated, now - start, now)
    } catch (error) {
      if (this.#disposed) return false
      if (error instanceof Interrupted) {
        if (this.#parts.backend.interrupt) Atomics.store(this.#parts.backend.interrupt, 0, 0)
        this.#scheduler.setBackHolders(this.#copies.unsure)
        this.#copies.unsure.clear()
      } else if (error instanceof EngineCrashedError) {
        this.#disposed = true
        this.#onFatal(error)
        return false
      } else if (chunks.length > 0) for (const { sequence } of chunks) this.#fail(sequence, error)
      else this.#failAll(error) // no request can be blamed, and none may be left hanging
    }
    return true
  }

  /** After a step that succeeded: hands the logits out. Returns the number of tokens that were run. */
  #advance(chunks: readonly Chunk[], logits: Float32Array, states: Float32Array): number {
    const { vocabularySize: V, width: D } = this.#parts.model.config
    let row = 0
    let stateRow = 0
    let rows = 0
    for (const chunk of chunks) {
      const { sequence, first, count } = chunk
      const from = row
      if (sequence.wantsStates) stateRow += count
      else for (let i = 0; i < rowsOf(chunk); i++) if (wanted(sequence, first + i)) row++
      rows += rowsOf(chunk)
      if (!sequence.place.cache) continue // its request ended while the step ran
      this.#scheduler.advance(chunk)
      const prompt = sequence instanceof Answer ? sequence.task.request.prompt.length : sequence.length
      this.#counts.prompt += Math.max(0, Math.min(first + count, prompt) - first)
      try {
        if (sequence instanceof Scoring) this.#deliver(sequence, chunk, logits.slice(from * V, row * V), V)
        else if (sequence instanceof Embedding)
          this.#pool(sequence, chunk, states.subarray((stateRow - count) * D, stateRow * D))
        else if (row > from)
          this.#continue(sequence as Answer, logits.subarray(from * V, row * V), chunk.guesses)
      } catch (error) {
        this.#fail(sequence, error)
      }
    }
    return rows
  }

  #deliver(scoring: Scoring, { first, count }: Chunk, rows: Float32Array, V: number): void {
    const fresh = Math.max(first, scoring.sent)
    if (fresh < first + count) {
      this.#event.rows.push([scoring.id, fresh, fresh === first ? rows : rows.slice((fresh - first) * V)])
      scoring.sent = first + count
    }
    if (first + count === scoring.length) this.#endScoring(scoring)
  }

  #pool(embedding: Embedding, { first, count }: Chunk, states: Float32Array): void {
    embedding.add(first, states)
    if (first + count < embedding.length) return
    this.#event.rows.push([embedding.id, 0, embedding.vector()])
    this.#endScoring(embedding)
  }

  #endScoring(scoring: Scoring | Embedding): void {
    this.#scheduler.remove(scoring)
    this.#scorings.delete(scoring.id)
    this.#event.ended.push(scoring.id)
  }

  /** The next token of an answer, and those after it as long as guesses are right; after the prompt the first of all answers. */
  #continue(answer: Answer, logits: Float32Array, guesses: readonly number[]): void {
    const { task } = answer
    const { vocabularySize: V } = this.#parts.model.config
    const { n } = task.request
    task.cachedTokens ??= answer.place.found
    const answers = [answer]
    while (task.answers.length < n) {
      const fork = new Answer(task, task.answers.length)
      Object.assign(fork.place, { ...answer.place, cache: answer.place.cache!.fork() })
      task.answers.push(fork)
      this.#scheduler.adopt(fork)
      answers.push(fork)
    }
    for (const one of answers)
      this.#write(one, answers.length > 1 ? logits.slice(0, V) : logits.subarray(0, V))
    let right = 0
    while (right < guesses.length && !answer.ended && answer.token(answer.length - 1) === guesses[right]) {
      this.#scheduler.advance({ sequence: answer, first: answer.length - 1, count: 1 })
      right++
      this.#write(answer, logits.subarray(right * V, (right + 1) * V))
    }
    if (guesses.length > 0) answer.lookup.learn(right)
    this.#counts.guessed += guesses.length
    this.#counts.right += right
    this.#endIfDone(task)
  }

  /** One more token of an answer. */
  #write(answer: Answer, logits: Float32Array): void {
    const piece = answer.next(logits, this.#sampler)
    this.#counts.generated++
    if (answer.ended) this.#scheduler.remove(answer)
    answer.task.add(piece)
  }

  /** Hands out the pieces whose time has come. */
  #send(task: Task, now: number): void {
    const pieces = task.due(now, (1000 * this.#tasks.size) / mostGroups)
    if (pieces.length > 0) this.#event.pieces.push([task.id, pieces])
  }

  #endIfDone(task: Task): void {
    if (!task.ended) return
    this.#send(task, performance.now())
    this.#tasks.delete(task.id)
    this.#event.ended.push(task.id)
  }

  #fail(sequence: Sequence, error: unknown): void {
    const { id } = sequence instanceof Answer ? sequence.task : (sequence as Scoring | Embedding)
    if (this.#forget(id)) this.#event.failed.push([id, toErrorData(error)])
  }

  #failAll(error: unknown): void {
    for (const id of [...this.#tasks.keys(), ...this.#scorings.keys()]) {
      this.#forget(id)
      this.#event.failed.push([id, toErrorData(error)])
    }
  }

  #forget(id: number): boolean {
    const scoring = this.#scorings.get(id)
    if (scoring) this.#scheduler.remove(scoring)
    for (const answer of this.#tasks.get(id)?.answers ?? []) this.#scheduler.remove(answer)
    return this.#tasks.delete(id) || this.#scorings.delete(id)
  }
}

const emptyEvent = (): StepEvent => ({ type: "step", pieces: [], rows: [], ended: [], failed: [] })

const tooLarge = () =>
  new OutOfMemoryError(
    "the cache of this request does not fit the memory that is left: shorten the prompt, or load the model with a smaller contextLength, cacheTokens or kind of weight",
  )
