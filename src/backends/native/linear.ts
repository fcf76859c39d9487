// How a linear becomes commands: the activations in the form that the kernels want, made once for all linears of the
// same x, then one command for all tokens.
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
    weight.address,
    target.address,
    tokens,
    rows,
    columns,
    kind,
  ]
  machine.record(isInteger(weight.kind) ? "LinearInt" : "LinearDense", units, operands)
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
