// exp for a whole vocabulary: several times as fast as Math.exp where the argument is known to be in -32..0.

/**
 * A token this far below the likeliest is left out. Even 128,256 of them have 2e-9 of the probability together, while the
 * rounding of a logit of 20 to float32 changes a probability by 1e-6. Most of a vocabulary lies below it.
 */
export const negligible = -32

/** Table steps per doubling. */
const steps = 64
const stepsPerUnit = steps / Math.LN2
const unitsPerStep = Math.LN2 / steps

/** 2^(-i/64), by exponent from the greatest down. */
const powers = Float64Array.from(
  { length: Math.ceil(-negligible * stepsPerUnit) + 2 },
  (_, i) => 2 ** (-i / steps),
)

/**
 * exp(x) for negligible <= x <= 0, relative error below 1e-14: exp(x) = 2^(-i/64) exp(r) with |r| <= ln(2)/128 and the
 * Taylor polynomial of degree 5 for exp(r).
 */
export function exponential(x: number): number {
  const i = (0.5 - x * stepsPerUnit) | 0
  const r = x + i * unitsPerStep
  return powers[i] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))))))
}
