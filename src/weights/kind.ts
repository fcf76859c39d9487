// Kinds of weight: how the rows of a matrix [N, K] are stored between a file and a backend. A backend may
// repack them into the layout that its kernels want; nothing above the backends knows that layout.

/**
 * - `f32`, `f16`, `bf16`: plain values.
 * - `int8`: groups of 32 along K, `w = d * q` with an f16 scale d and q in -128..127 (ggml's Q8_0 block, 34 bytes).
 * - `int8-channel`: one f32 scale a row, then K signed bytes, `w = d * q`.
 * - `int4`: groups of 32, `w = d * (q - 8)` with an f16 scale d and q in 0..15 (ggml's Q4_0 block, 18 bytes).
 * - `int4-min`: groups of 32, `w = d * q + m` with f16 scale and minimum (ggml's Q4_1 block, 20 bytes).
 */
export type WeightKind = "f32" | "f16" | "bf16" | "int8" | "int8-channel" | "int4" | "int4-min"

export const weightKinds: readonly WeightKind[] = [
  "f32",
  "f16",
  "bf16",
  "int8",
  "int8-channel",
  "int4",
  "int4-min",
]

/** Values along K that share one scale in the grouped kinds. */
export const groupSize = 32

/** Bytes of one row of `columns` values. Grouped kinds need `columns` to be a multiple of 32. */
export function rowBytes(kind: WeightKind, columns: number): number {
  switch (kind) {
    case "f32":
      return columns * 4
    case "f16":
    case "bf16":
      return columns * 2
    case "int8":
      return (columns / groupSize) * 34
    case "int8-channel":
      return columns + 4
    case "int4":
      return (columns / groupSize) * 18
    case "int4-min":
      return (columns / groupSize) * 20
  }
}

/** Kinds whose products run on integers: the activations are quantized to 8 bits per token. */
export const isInteger = (kind: WeightKind): boolean => kind.startsWith("int")
