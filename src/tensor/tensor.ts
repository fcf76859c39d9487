// The handle of an array that a backend holds, and the scope that says when it is freed.

/** Extents, outermost first; the last one is contiguous. */
export type Shape = readonly number[]

/**
 * Handle of a float32 array in a backend's memory. Its values may not be computed yet: operations only record
 * work, and `Backend.read` makes it happen. Only the backend that made it can use it.
 */
export interface Tensor {
  readonly shape: Shape
}

/** Number of elements of a shape. */
export function elements(shape: Shape): number {
  let count = 1
  for (const extent of shape) count *= extent
  return count
}

/** A shape as people write it: `[7, 2048]`. */
export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`

/**
 * The life of everything made during one step. Tensors made while a scope is open are freed when it ends;
 * tensors made outside any scope live until the backend is disposed. Scopes nest like brackets.
 */
export interface Scope {
  /** Tensors of this scope that are kept pass to the scope around it; without one they live like those made outside. */
  end(keep?: readonly Tensor[]): void
}
