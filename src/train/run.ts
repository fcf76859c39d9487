// A run by a recipe (Node only): opens or makes the model, opens the data, goes on from the last checkpoint where asked,
// and leaves checkpoints, a log and a model. It says what happens through hooks; the terminal is the command's business.
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { type BackendName, createBackend } from "../backends/index.js"
import { InvalidOptionError } from "../errors/index.js"
import type { PackedBatch } from "./packing.js"
import { Batches, packAll } from "./packing.js"
import type { BatchCursor } from "./packing.js"
import { prepareMethod, type PreparedMethod } from "./methods/index.js"
import { type Data, mixtureOf, openData, packingOf, type SourceExamples } from "./open-data.js"
import { openStart } from "./open-start.js"
import { countParameters, type TrainingBackend } from "./parameters.js"
import { scheduleOf } from "./recipe/schedule-of.js"
import type { Recipe } from "./recipe/schema.js"
import type { MeasureLine, RunHooks, RunPlan, RunResult } from "./run-events.js"
import { RunFolder, type TrainerState } from "./run-folder.js"
import { StageRecord } from "./stage-record.js"
import type { Start } from "./start.js"
import type { Schedule } from "./schedule.js"
import { Trainer } from "./trainer.js"

export interface RunOptions extends RunHooks {
  /** Where relative paths of the recipe begin. */
  readonly folder: string
  /** Go on from the last checkpoint where there is one. Without it a folder that holds a run is refused. */
  readonly resume?: boolean
}

/** Runs a recipe to its end, or until the signal asks to stop: then a checkpoint is written first. */
export async function train(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  const runFolder = new RunFolder(resolve(options.folder, recipe.output))
  const saved = await firstCheckpoint(runFolder, options.resume ?? false)
  await runFolder.prepare()
  const backend = await trainingBackend(recipe)
  try {
    const { from } = recipe.model
    const origin = from === undefined ? undefined : resolve(options.folder, from)
    const start = await openStart(recipe, options.folder, origin, backend, saved)
    const prepared = await prepareMethod(recipe, options.folder, start, backend)
    const context = Math.min(recipe.data.context ?? 1024, start.trainable.config.contextLength)
    const cache = recipe.data.cache === undefined ? undefined : resolve(options.folder, recipe.data.cache)
    const readerOf = (examples: SourceExamples) => prepared.reader(context, examples)
    const hooks = {
      signal: options.signal,
      onTokens: (source: string, done: number, total: number) =>
        options.onPrepare?.(`tokenizing ${source}`, done, total),
      onTeacher: (source: string, done: number, total: number) =>
        options.onPrepare?.(`asking the teacher about ${source}`, done, total),
    }
    const tokens = cache ?? resolve(runFolder.path, "data")
    const data = await openData(recipe, options.folder, tokens, readerOf, hooks, prepared.teaching)
    try {
      const record = await StageRecord.open(
        recipe,
        origin,
        saved && {
          checkpoint: saved.path,
          step: saved.state.step,
          seconds: saved.state.seconds,
          threads: backend.threads,
          log: runFolder.metrics,
        },
      )
      try {
        const run = new Run(recipe, options, runFolder, backend, start, prepared, data, context, record)
        return await run.execute(saved?.state)
      } finally {
        record.close()
      }
    } finally {
      await data.close()
    }
  } finally {
    await backend.dispose()
  }
}

async function firstCheckpoint(runFolder: RunFolder, resume: boolean) {
  const saved = await runFolder.latest()
  const used = saved !== undefined || (await stat(runFolder.model).catch(() => undefined)) !== undefined
  if (resume || !used) return saved
  throw new InvalidOptionError(
    `${runFolder.path} holds a run already: add --resume to go on with it, or choose another \`output:\` (or delete the folder)`,
  )
}

const trainingBackend = (recipe: Recipe): Promise<TrainingBackend> =>
  createBackend(recipe.backend as BackendName | "auto", { threads: recipe.threads })

class Run {
  readonly #recipe: Recipe
  readonly #options: RunOptions
  readonly #folder: RunFolder
  readonly #backend: TrainingBackend
  readonly #start: Start
  readonly #method: PreparedMethod
  readonly #data: Data
  readonly #context: number
  readonly #schedule: Schedule
  /** Data of the run's main part, and of its annealing. */
  readonly #streams: readonly Batches[]
  readonly #trainer: Trainer
  readonly #record: StageRecord
  #rows = 0
  #seconds = 0

  constructor(
    recipe: Recipe,
    options: RunOptions,
    folder: RunFolder,
    backend: TrainingBackend,
    start: Start,
    method: PreparedMethod,
    data: Data,
    context: number,
    record: StageRecord,
  ) {
    this.#record = record
    this.#recipe = recipe
    this.#options = options
    this.#folder = folder
    this.#backend = backend
    this.#start = start
    this.#method = method
    this.#data = data
    this.#context = context
    this.#schedule = scheduleOf(recipe, data.tokens)
    const packing = packingOf(recipe, context, method)
    const { temperature } = recipe.data
    const { anneal } = recipe.schedule
    this.#streams = [
      new Batches(mixtureOf(data, temperature, recipe.seed), packing),
      ...(anneal
        ? [new Batches(mixtureOf(data, temperature, recipe.seed + 1, anneal.weights), packing)]
        : []),
    ]
    const annealFrom = this.#schedule.steps - this.#schedule.anneal
    this.#trainer = new Trainer({
      backend,
      trainable: start.trainable,
      method: method.method,
      optimizer: recipe.optimizer,
      learningRate: recipe.optimizer.learningRate,
      schedule: this.#schedule,
      accumulate: Math.max(1, Math.round(recipe.batch.tokens / recipe.batch.microTokens)),
      batchesAt: (step) => this.#streams[step > annealFrom ? 1 : 0],
      recompute: recipe.recompute,
    })
  }

  async execute(state: TrainerState | undefined): Promise<RunResult> {
    const { signal, onStart, onStep } = this.#options
    const { every, minutes } = this.#recipe.checkpoints
    await this.#restore(state)
    onStart?.(this.#plan())
    if (!state) await this.#measure()
    let savedAt = performance.now()
    let savedStep = this.#trainer.step
    while (this.#trainer.step < this.#schedule.steps) {
      if (signal?.aborted) {
        const path =
          this.#trainer.step > savedStep
            ? await this.#save()
            : ((await this.#folder.list()).at(-1) ?? this.#folder.path)
        return { finished: false, step: this.#trainer.step, path }
      }
      const report = await this.#trainer.advance()
      this.#rows += report.rows
      this.#seconds += report.seconds
      const { step, loss, learningRate, gradientNorm, more } = report
      const epoch = this.#streams[0].epochs
      await this.#folder.log([
        {
          step,
          loss,
          learningRate,
          gradientNorm,
          ...more,
          count: report.count,
          rows: this.#rows,
          epoch,
          seconds: this.#seconds,
        },
      ])
      onStep?.({
        ...report,
        steps: this.#schedule.steps,
        totalRows: this.#rows,
        totalSeconds: this.#seconds,
        epoch,
      })
      const last = step === this.#schedule.steps
      if (last || (this.#recipe.validate.every > 0 && step % this.#recipe.validate.every === 0))
        await this.#measure()
      if (last || (every > 0 && step % every === 0) || performance.now() - savedAt > minutes * 60_000) {
        await this.#save()
        savedAt = performance.now()
        savedStep = step
      }
    }
    await this.#folder.saveModel(async (folder) => {
      await this.#start.writeFinal(folder, this.#folder)
      await this.#record.write(folder, this.#plan(), this.#rows)
    })
    this.#options.onSaved?.(this.#folder.model)
    return { finished: true, step: this.#trainer.step, path: this.#folder.model }
  }

  async #restore(state: TrainerState | undefined): Promise<void> {
    await this.#folder.rewind(state?.step ?? -1)
    if (!state) return
    this.#trainer.step = state.step
    this.#rows = state.rows
    this.#seconds = state.seconds
    for (const [i, stream] of this.#streams.entries()) {
      const cursor = state.cursors[i] as BatchCursor | undefined
      if (cursor) stream.restore(cursor)
    }
  }

  async #save(): Promise<string> {
    const state: TrainerState = {
      version: 1,
      step: this.#trainer.step,
      rows: this.#rows,
      seconds: this.#seconds,
      seed: this.#recipe.seed,
      cursors: this.#streams.map(({ cursor }) => cursor),
    }
    const { trainable } = this.#start
    const path = await this.#folder.save(
      state,
      trainable.parameters,
      async (folder) => {
        await this.#start.write(folder)
        await this.#record.write(folder, this.#plan(), this.#rows)
      },
      (tensor) => this.#backend.read(tensor),
      Math.max(this.#recipe.checkpoints.keep, this.#recipe.checkpoints.average),
    )
    this.#options.onSaved?.(path)
    return path
  }

  async #measure(): Promise<void> {
    const sources: Record<string, Record<string, number>> = {}
    let [sum, count] = [0, 0]
    const measured = this.#data.sources.filter(({ heldOut }) => heldOut)
    const packing = packingOf(this.#recipe, this.#context, this.#method)
    for (const { name, heldOut } of measured) {
      const batches: AsyncGenerator<PackedBatch> = packAll(
        heldOut!,
        packing,
        this.#recipe.validate.tokens / measured.length,
      )
      const result = await this.#trainer.measure(batches)
      if (result.count === 0) continue
      sources[name] = { loss: result.loss, ...this.#method.describe(result) }
      sum += result.loss * result.count
      count += result.count
    }
    if (count === 0) return
    const line: MeasureLine = { step: this.#trainer.step, validation: sum / count, sources }
    await this.#folder.log([line])
    this.#record.measured(line)
    this.#options.onMeasure?.(line)
  }

  #plan(): RunPlan {
    const { sources, tokens } = this.#data
    const { temperature } = this.#recipe.data
    const shares = sources.map(({ weight, training }) => weight * training.tokens ** (1 / temperature))
    const total = shares.reduce((sum, share) => sum + share, 0)
    return {
      method: this.#recipe.method,
      parameters: this.#start.modelParameters,
      trained: countParameters(this.#start.trainable.parameters),
      backend: this.#backend.description,
      steps: this.#schedule.steps,
      done: this.#trainer.step,
      tokens,
      sources: sources
        .map(({ name, training }, i) => ({ name, tokens: training.tokens, share: shares[i] / total }))
        .filter(({ share }) => share > 0),
    }
  }
}
