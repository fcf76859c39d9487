// The lengths that a recipe gives in tokens, epochs or parts of the run, as steps.
import { InvalidOptionError } from "../../errors/index.js"
import type { Schedule } from "../schedule.js"
import type { Recipe } from "./schema.js"

/** The schedule in steps. Parts below 1 are of the run's length; `tokens` are those to learn from, once through. */
export function scheduleOf(
  { schedule, batch }: Pick<Recipe, "schedule" | "batch">,
  tokens: number,
): Schedule {
  const { warmup, shape, floor, decay, anneal } = schedule
  const given = [schedule.steps, schedule.tokens, schedule.epochs].filter((length) => length !== undefined)
  if (given.length > 1)
    throw new InvalidOptionError("schedule has several lengths: give one of steps, tokens and epochs")
  const micro = Math.max(1, Math.round(batch.tokens / batch.microTokens)) * batch.microTokens
  const steps =
    schedule.steps ?? Math.max(1, Math.round((schedule.tokens ?? (schedule.epochs ?? 1) * tokens) / micro))
  const part = (value: number) => (value < 1 ? Math.round(value * steps) : Math.round(value))
  const lengths = { warmup: part(warmup), anneal: anneal ? Math.max(1, part(anneal.steps)) : 0 }
  if (lengths.warmup + lengths.anneal > steps)
    throw new InvalidOptionError(
      `warm-up (${lengths.warmup}) and annealing (${lengths.anneal}) take more than the ${steps} steps of the run`,
    )
  return { steps, shape, floor, decay, ...lengths }
}
