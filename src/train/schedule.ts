// The learning rate of each step: warm-up, a shape, and an annealing at the end. Pure functions of the step.

export interface Schedule {
  /** Optimizer steps in all, warm-up and annealing included. */
  readonly steps: number
  /** Steps over which the rate rises linearly from 0. */
  readonly warmup: number
  /**
   * What comes after: `cosine` and `linear` fall from 1 to `floor` over all steps; `wsd` (warm-up, stable, decay) stays at 1
   * and falls linearly to `floor` over the last `decay` of the steps; `constant` stays.
   */
  readonly shape: "cosine" | "linear" | "wsd" | "constant"
  /** Last factor of the shape, as a part of the peak. */
  readonly floor: number
  /** Part of the steps after warm-up that `wsd` falls over. */
  readonly decay: number
  /** Last steps, over which the rate goes linearly from where the shape has left it to 0 (Llama 3's annealing). */
  readonly anneal: number
}

/** What the peak learning rate is multiplied by in a step; the first step is 1. */
export function learningRateFactor(schedule: Schedule, step: number): number {
  const { steps, warmup, anneal } = schedule
  if (step <= warmup) return step / warmup
  const end = steps - anneal
  if (step <= end) return shapeAt(schedule, step, end)
  return (shapeAt(schedule, end, end) * (steps - step + 1)) / (anneal + 1)
}

function shapeAt({ warmup, shape, floor, decay }: Schedule, step: number, end: number): number {
  const length = end - warmup
  if (shape === "constant" || length <= 0) return 1
  const done = Math.min(1, (step - warmup) / length)
  switch (shape) {
    case "cosine":
      return floor + ((1 - floor) * (1 + Math.cos(Math.PI * done))) / 2
    case "linear":
      return 1 - (1 - floor) * done
    case "wsd":
      return 1 - (1 - floor) * Math.max(0, (done - (1 - decay)) / decay)
  }
}
