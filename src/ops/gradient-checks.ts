// Shape checks of the operations that training adds, made by every backend before it records one.
import { formatShape, type Shape, type Tensor } from "../tensor/tensor.js"
import { checkAttention, checkRmsNorm, checkSame, fail, matrix } from "./checks.js"
import type { SequenceRows, Weight } from "./ops.js"

function hasShape(op: string, what: string, x: Tensor, expected: Shape): void {
  if (formatShape(x.shape) !== formatShape(expected))
    fail(op, `${what} is ${formatShape(x.shape)}, expected ${formatShape(expected)}`)
}

export function checkLinearInputGradient(dy: Tensor, weight: Weight): void {
  const { columns } = matrix("linearInputGradient", dy)
  if (columns !== weight.shape[0])
    fail("linearInputGradient", `dy is ${formatShape(dy.shape)}, weight is ${formatShape(weight.shape)}`)
}

export function checkLinearWeightGradient(dy: Tensor, x: Tensor, into: Tensor): void {
  const gradient = matrix("linearWeightGradient", dy)
  const input = matrix("linearWeightGradient", x)
  if (gradient.rows !== input.rows)
    fail("linearWeightGradient", `dy is ${formatShape(dy.shape)}, x is ${formatShape(x.shape)}`)
  hasShape("linearWeightGradient", "into", into, [gradient.columns, input.columns])
}

export function checkEmbeddingGradient(dy: Tensor, ids: Int32Array, into: Tensor): void {
  const { rows, columns } = matrix("embeddingGradient", into)
  hasShape("embeddingGradient", "dy", dy, [ids.length, columns])
  for (const id of ids) if (id < 0 || id >= rows) fail("embeddingGradient", `id ${id} of ${rows} rows`)
}

export function checkRmsNormGradient(dy: Tensor, x: Tensor, gain: Tensor, gainInto?: Tensor): void {
  checkSame("rmsNormGradient", dy, x)
  checkRmsNorm(x, gain)
  if (gainInto) hasShape("rmsNormGradient", "gainInto", gainInto, gain.shape)
}

/** Returns the head counts. */
export function checkAttentionGradient(
  dy: Tensor,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  output: Tensor,
  sequences: readonly SequenceRows[],
  headWidth: number,
): { queryHeads: number; kvHeads: number } {
  checkSame("attentionGradient", dy, query)
  checkSame("attentionGradient", output, query)
  return checkAttention(query, key, value, sequences, headWidth)
}

export function checkSwiGluGradient(dy: Tensor, gate: Tensor, up: Tensor): void {
  checkSame("swiGluGradient", dy, gate)
  checkSame("swiGluGradient", gate, up)
}

export function checkRowsGradient(dy: Tensor, indices: Int32Array, rows: number): void {
  if (matrix("rowsGradient", dy).rows !== indices.length)
    fail("rowsGradient", `dy is ${formatShape(dy.shape)} for ${indices.length} rows`)
  for (const index of indices) if (index < 0 || index >= rows) fail("rowsGradient", `row ${index} of ${rows}`)
}

export function checkLogProbabilities(op: string, logits: Tensor, targets: Int32Array, dy?: Tensor): void {
  const { rows, columns } = matrix(op, logits)
  if (targets.length !== rows) fail(op, `${targets.length} targets for ${rows} rows of logits`)
  for (const id of targets) if (id < 0 || id >= columns) fail(op, `target ${id} of ${columns} logits`)
  if (dy) hasShape(op, "dy", dy, [rows])
}

/** Returns k, the entries of a row. */
export function checkCrossEntropy(
  op: string,
  logits: Tensor,
  ids: Int32Array,
  p: Float32Array,
  dy?: Tensor,
): number {
  const { rows, columns } = matrix(op, logits)
  const entries = ids.length / Math.max(rows, 1)
  if (!Number.isInteger(entries) || p.length !== ids.length)
    fail(op, `${ids.length} ids and ${p.length} probabilities for ${rows} rows of logits`)
  for (const id of ids) if (id < 0 || id >= columns) fail(op, `id ${id} of ${columns} logits`)
  if (dy) hasShape(op, "dy", dy, [rows])
  return entries
}

export function checkAdamW(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor): void {
  for (const other of [gradient, m, v]) checkSame("adamW", parameter, other)
}
