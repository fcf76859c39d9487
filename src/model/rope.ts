// Rotary position embedding: the frequencies of a model and the rotation of a batch of positions.
import type { ModelConfig } from "./config.js"

/**
 * Inverse frequencies, E/2 values in radians a token: `1 / theta^(2i/E)`, all steps in float32 as transformers
 * computes them (at position 100,000 the rounding of the last bit is visible in the logits).
 *
 * With scaling (Llama 3.1): wavelengths beyond originalContextLength / lowFrequencyFactor are stretched by `factor`,
 * those below originalContextLength / highFrequencyFactor stay, and between them the two are mixed linearly.
 * GGUF files carry the outcome as `divisors` of the unscaled frequencies instead.
 */
export function inverseFrequencies(
  config: Pick<ModelConfig, "headWidth" | "ropeTheta" | "ropeScaling">,
  divisors?: Float32Array,
): Float32Array {
  const { headWidth, ropeTheta, ropeScaling } = config
  const f = Math.fround
  return Float32Array.from({ length: headWidth / 2 }, (_, i) => {
    const frequency = f(1 / f(ropeTheta ** f((2 * i) / headWidth)))
    if (divisors) return frequency / divisors[i]
    if (!ropeScaling) return frequency
    const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength } = ropeScaling
    const wavelength = f((2 * Math.PI) / frequency)
    if (wavelength < originalContextLength / high) return frequency
    if (wavelength > originalContextLength / low) return f(frequency / factor)
    const smooth = f(f(f(originalContextLength / wavelength) - low) / f(high - low))
    return f(f(f(f(1 - smooth) * frequency) / factor) + f(smooth * frequency))
  })
}

/** Cosines then sines of each position's angles: [T, E], for `Ops.rope`. */
export function rotations(frequencies: Float32Array, positions: Int32Array): Float32Array {
  const half = frequencies.length
  const rotation = new Float32Array(positions.length * half * 2)
  positions.forEach((position, t) => {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i])
      rotation[t * 2 * half + i] = Math.cos(angle)
      rotation[(t * 2 + 1) * half + i] = Math.sin(angle)
    }
  })
  return rotation
}
