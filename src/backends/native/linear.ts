// How a linear and its gradients become commands: operands in the form that the kernels want, made once where several
// operations need it, then the product.
import { isInteger, type WeightKind } from "../../weights/kind.js"
import type { Machine } from "./machine.js"
import type { NativeTensor } from "./tensor.js"
import { kindNumber, type NativeWeight } from "./weights.js"

export function recordLinear(
  machine: Machine,
  x: NativeTensor,
  weight: NativeWeight,
  target: NativeTensor,
): void {
  const [tokens, columns] = x.shape
  const [rows] = weight.shape
  if (tokens === 0) return
  const kind = kindNumber(weight.kind)
  const units = machine.ask("linearUnits", kind, tokens, rows, columns)
  const operands = [
    formOf(machine, x, weight.kind),
    panelsOf(machine, weight),
    target.address,
    tokens,
    rows,
    columns,
    kind,
  ]
  machine.record(isInteger(weight.kind) ? "LinearInt" : "LinearDense", units, operands)
}

/** `target = dy . weight`, with the rows of the weight packed anew, some at a time. */
export function recordInputGradient(
  machine: Machine,
  dy: NativeTensor,
  weight: NativeWeight,
  target: NativeTensor,
): void {
  const [tokens] = dy.shape
  const [rows, columns] = weight.shape
  const atOnce = rowsWithin(machine.ask("inputGradientBytes", 1, columns))
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first)
    const packed = machine.staging.allocate(machine.ask("inputGradientBytes", count, columns))
    const source = [weight.address, packed, rows, columns, kindNumber(weight.kind), first, count]
    machine.record("PackInputGradient", machine.ask("inputGradientPackUnits", count), [
      ...source,
      weight.source ? 0 : 1,
    ])
    machine.record("LinearInputGradient", machine.ask("inputGradientUnits", tokens, columns), [
      dy.address + first * 4,
      rows,
      packed,
      target.address,
      tokens,
      count,
      columns,
      first === 0 ? 0 : 1,
    ])
    machine.staging.reset()
  }
}

/** `into += dy^T . x`, both packed, some tokens at a time. */
export function recordWeightGradient(
  machine: Machine,
  dy: NativeTensor,
  x: NativeTensor,
  into: NativeTensor,
): void {
  const [tokens, rows] = dy.shape
  const [, columns] = x.shape
  const atOnce = machine.ask("weightGradientTokens", rows, columns)
  for (let first = 0; first < tokens; first += atOnce) {
    const count = Math.min(atOnce, tokens - first)
    const packed = machine.staging.allocate(machine.ask("weightGradientBytes", count, rows, columns))
    const sources = [dy.address + first * rows * 4, x.address + first * columns * 4]
    machine.record("PackWeightGradient", machine.ask("weightGradientPackUnits", count), [
      ...sources,
      packed,
      count,
      rows,
      columns,
    ])
    machine.record("LinearWeightGradient", machine.ask("weightGradientUnits", rows, columns), [
      packed,
      into.address,
      count,
      rows,
      columns,
    ])
    machine.staging.reset()
  }
}

/** Rows of a weight that are packed at once for its input gradient. */
const rowsWithin = (rowBytes: number): number => Math.max(16, Math.floor(2 ** 26 / rowBytes / 16) * 16)

/** Where the packed weight lies. One that shows a tensor is packed when a linear first asks for it. */
function panelsOf(machine: Machine, weight: NativeWeight): number {
  const { source, panels } = weight
  if (!source) return weight.address
  if (panels && !panels.scope?.ended) return panels.address
  const [rows, columns] = weight.shape
  const kind = kindNumber(weight.kind)
  const address = machine.allocate(machine.ask("packedBytes", kind, rows, columns))
  const operands = [source.address, address, 0, rows, rows, columns, kind]
  machine.record("PackDense", machine.ask("packUnits", kind, 0, rows), operands)
  weight.panels = { address, scope: machine.scope }
  return address
}

/** Where x lies in the form for weights of this kind. */
function formOf(machine: Machine, x: NativeTensor, kind: WeightKind): number {
  const which = isInteger(kind) ? "quantized" : "dense"
  const known = x[which]
  if (known && !known.scope?.ended) return known.address
  const [tokens, columns] = x.shape
  const bytes = machine.ask("formBytes", kindNumber(kind), tokens, columns)
  if (bytes === 0) return x.address
  const address = machine.allocate(bytes)
  const units = machine.ask("formUnits", kindNumber(kind), tokens)
  machine.record(which === "quantized" ? "QuantizeRows" : "FormDense", units, [
    x.address,
    address,
    tokens,
    columns,
  ])
  x[which] = { address, scope: machine.scope }
  return address
}
