// exp for a whole vocabulary: several times as fast as Math.exp where the argument is known to be in -50..0.

/** Below this exp adds nothing to a sum, in double precision, whose largest term is 1. */
export const negligible = -50

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
