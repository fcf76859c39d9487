// Shape checks that every backend makes before it records an operation, so that they all complain alike.
import { formatShape, type Tensor } from "../tensor/tensor.js"
import type { PageStore, SequenceRows, Weight } from "./ops.js"

export function fail(op: string, what: string): never {
  throw new Error(`shape mismatch in ${op}: ${what}`)
}

/** A tensor must be [rows, columns]; returns both. */
export function matrix(op: string, x: Tensor): { rows: number; columns: number } {
  if (x.shape.length !== 2) fail(op, `expected a matrix, got ${formatShape(x.shape)}`)
  return { rows: x.shape[0], columns: x.shape[1] }
}

export function checkEmbedding(table: Weight, ids: Int32Array): void {
  for (const id of ids) {
    if (id < 0 || id >= table.shape[0])
      fail("embedding", `id ${id}, but the table has ${table.shape[0]} rows`)
  }
}

export function checkLinear(x: Tensor, weight: Weight): void {
  const { columns } = matrix("linear", x)
  if (columns !== weight.shape[1]) {
    fail("linear", `x is ${formatShape(x.shape)}, weight expects ${weight.shape[1]}`)
  }
}

export function checkRmsNorm(x: Tensor, gain: Tensor): void {
  const { columns } = matrix("rmsNorm", x)
  if (gain.shape.length !== 1 || gain.shape[0] !== columns) {
    fail("rmsNorm", `x is ${formatShape(x.shape)}, gain is ${formatShape(gain.shape)}`)
  }
}

export function checkRope(x: Tensor, rotation: Tensor): void {
  const { rows, columns } = matrix("rope", x)
  const turn = matrix("rope", rotation)
  if (turn.rows !== rows || columns % turn.columns !== 0 || turn.columns % 2 !== 0) {
    fail("rope", `x is ${formatShape(x.shape)}, rotation is ${formatShape(rotation.shape)}`)
  }
}

/** Checks attention's operands and page tables; returns the head counts. */
export function checkAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  sequences: readonly SequenceRows[],
  headWidth: number,
  cache?: { readonly pages: PageStore; readonly layer: number },
): { queryHeads: number; kvHeads: number } {
  const q = matrix("attention", query)
  const k = matrix("attention", key)
  const v = matrix("attention", value)
  if (k.rows !== q.rows || v.rows !== q.rows || k.columns !== v.columns) {
    fail(
      "attention",
      `query ${formatShape(query.shape)}, key ${formatShape(key.shape)}, value ${formatShape(value.shape)}`,
    )
  }
  const queryHeads = q.columns / headWidth
  const kvHeads = k.columns / headWidth
  if (!Number.isInteger(kvHeads) || !Number.isInteger(queryHeads / kvHeads)) {
    fail(
      "attention",
      `${q.columns} and ${k.columns} columns do not make whole groups of heads of width ${headWidth}`,
    )
  }
  let row = 0
  for (const { first, length, cached, pages } of sequences) {
    if (first !== row) fail("attention", `a sequence starts at row ${first}, expected ${row}`)
    row += length
    if (!cache) {
      if (cached !== 0) fail("attention", `${cached} cached tokens without a cache`)
      continue
    }
    const { pageTokens, capacity } = cache.pages.layout
    if (pages.length * pageTokens < cached + length) {
      fail("attention", `${pages.length} pages of ${pageTokens} slots for ${cached + length} tokens`)
    }
    for (const page of pages)
      if (page < 0 || page >= capacity) fail("attention", `page ${page} of ${capacity}`)
  }
  if (row !== q.rows) fail("attention", `sequences cover ${row} of ${q.rows} rows`)
  return { queryHeads, kvHeads }
}

export function checkSame(op: string, x: Tensor, y: Tensor): void {
  if (formatShape(x.shape) !== formatShape(y.shape))
    fail(op, `${formatShape(x.shape)} and ${formatShape(y.shape)}`)
}

export function checkRows(x: Tensor, indices: Int32Array): void {
  const { rows } = matrix("rows", x)
  for (const index of indices) if (index < 0 || index >= rows) fail("rows", `row ${index} of ${rows}`)
}
