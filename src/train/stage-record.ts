// What a run leaves about itself beside every checkpoint (Node only): its energy, and its entry in the record of the stages
// that the model went through, from which model cards are written.
import { readFile } from "node:fs/promises"
import { readStages, type Stage, writeStages } from "../card/index.js"
import { EnergyMeter, energyOfHours, readEnergy, writeEnergy } from "../energy/index.js"
import type { Recipe } from "./recipe/schema.js"
import type { MeasureLine, RunPlan } from "./run-events.js"

/** What a run that goes on has been before. */
export interface ResumedRun {
  readonly checkpoint: string
  readonly step: number
  /** Time that its steps took. */
  readonly seconds: number
  readonly threads: number
  /** Its log of metrics. */
  readonly log: string
}

export class StageRecord {
  readonly #recipe: Recipe
  readonly #earlier: readonly Stage[]
  readonly #meter: EnergyMeter
  #before: Stage["before"]
  #after: Stage["after"]

  private constructor(recipe: Recipe, earlier: readonly Stage[], meter: EnergyMeter) {
    this.#recipe = recipe
    this.#earlier = earlier
    this.#meter = meter
  }

  /** `origin` is the model that the run began with, `resumed` what it goes on from: hours and energy go on there. */
  static async open(
    recipe: Recipe,
    origin: string | undefined,
    resumed: ResumedRun | undefined,
  ): Promise<StageRecord> {
    const earlier = origin === undefined ? [] : await readStages(origin)
    // A checkpoint without a report is from before there was a meter.
    const counted =
      resumed &&
      ((await readEnergy(resumed.checkpoint)) ??
        energyOfHours(resumed.seconds / 3600, resumed.threads, recipe.energy))
    const record = new StageRecord(recipe, earlier, await EnergyMeter.start(recipe.energy, counted))
    if (resumed) for (const line of await measuresIn(resumed.log, resumed.step)) record.measured(line)
    return record
  }

  measured({ step, sources }: MeasureLine): void {
    const measures = Object.fromEntries(
      Object.entries(sources).map(([name, values]) => [name, { ...values }]),
    )
    if (step === 0) this.#before = measures
    else this.#after = measures
  }

  /** Writes energy.json and the record of stages; `rows` are the tokens that went through the model. */
  async write(
    folder: string,
    { method, parameters, trained, done, sources }: RunPlan,
    rows: number,
  ): Promise<void> {
    const energy = await this.#meter.report()
    await writeEnergy(folder, energy)
    const stage: Stage = {
      method,
      ended: new Date().toISOString(),
      parameters,
      trained,
      steps: done,
      tokens: rows,
      settings: settingsOf(this.#recipe),
      data: sources.map(({ name, tokens, share }) => ({ name, tokens, share })),
      before: this.#before,
      after: this.#after,
      energy,
    }
    await writeStages(folder, [...this.#earlier, stage])
  }

  close(): void {
    this.#meter.stop()
  }
}

/** The measurements of a log up to a step; lines of other kinds, and one that was cut off, are passed over. */
async function measuresIn(log: string, step: number): Promise<MeasureLine[]> {
  const lines = (await readFile(log, "utf8").catch(() => "")).split("\n")
  return lines.flatMap((line) => {
    if (!line.includes('"validation"')) return []
    try {
      const measure = JSON.parse(line) as MeasureLine
      return measure.step <= step ? [measure] : []
    } catch {
      return []
    }
  })
}

/** The numbers of a recipe that a reader of its card wants to know. */
function settingsOf({ seed, batch, optimizer, schedule, adapter, data }: Recipe): Stage["settings"] {
  const { learningRate, beta1, beta2, weightDecay, clip } = optimizer
  const { shape, warmup } = schedule
  return {
    learningRate,
    schedule: shape,
    warmup,
    beta1,
    beta2,
    weightDecay,
    clip,
    batchTokens: batch.tokens,
    temperature: data.temperature,
    seed,
    ...(adapter ? { adapterRank: adapter.rank } : {}),
  }
}
