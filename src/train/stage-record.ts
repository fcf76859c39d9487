// What a run leaves about itself beside every checkpoint (Node only): its energy, and its entry in the record of the stages
// that the model went through, from which model cards are written.
import { readStages, type Stage, writeStages } from "../card/index.js"
import { EnergyMeter, readEnergy, writeEnergy } from "../energy/index.js"
import type { Recipe } from "./recipe/schema.js"
import type { MeasureLine, RunPlan } from "./run-events.js"

export class StageRecord {
  readonly #recipe: Recipe
  readonly #earlier: readonly Stage[]
  readonly #meter: EnergyMeter
  #before: Stage["before"]
  #after: Stage["after"]

  private constructor(
    recipe: Recipe,
    earlier: readonly Stage[],
    before: Stage["before"],
    meter: EnergyMeter,
  ) {
    this.#recipe = recipe
    this.#earlier = earlier
    this.#before = before
    this.#meter = meter
  }

  /** `origin` is the model that the run began with, `checkpoint` what it goes on from: hours and energy go on there. */
  static async open(
    recipe: Recipe,
    origin: string | undefined,
    checkpoint: string | undefined,
  ): Promise<StageRecord> {
    const earlier = origin === undefined ? [] : await readStages(origin)
    const own = checkpoint === undefined ? undefined : (await readStages(checkpoint)).at(-1)
    const counted = checkpoint === undefined ? undefined : await readEnergy(checkpoint)
    return new StageRecord(recipe, earlier, own?.before, await EnergyMeter.start(recipe.energy, counted))
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
