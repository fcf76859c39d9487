// Seeded values and comparisons for the contract tests.
import { expect } from "vitest"

export type Random = () => number

/** Mulberry32: 32-bit state, uniform in [0, 1). */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Uniform in [-1, 1) with a few outliers, as activations have them. */
export function randomValues(random: Random, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => (random() * 2 - 1) * (random() < 0.01 ? 8 : 1))
}

/** Every value within `tolerance` of the expected, scaled by the largest expected value where that exceeds 1. */
export function closeTo(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  let scale = 1
  for (const value of expected) scale = Math.max(scale, Math.abs(value))
  let worst = 0
  let at = 0
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i])
    if (!(error <= worst)) {
      worst = error
      at = i
    }
  }
  expect(worst / scale, `index ${at}: got ${actual[at]}, expected ${expected[at]}`).toBeLessThanOrEqual(
    tolerance,
  )
}
