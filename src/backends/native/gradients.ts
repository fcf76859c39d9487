// The operations of training, recorded as commands: see ops/gradients.ts for what each computes.
import {
  checkAdamW,
  checkAttentionGradient,
  checkCrossEntropy,
  checkEmbeddingGradient,
  checkLinearInputGradient,
  checkLinearWeightGradient,
  checkLogProbabilities,
  checkRmsNormGradient,
  checkRowsGradient,
  checkSwiGluGradient,
} from "../../ops/gradient-checks.js"
import { checkRope, checkSame, matrix } from "../../ops/checks.js"
import type { AdamWStep, GradientOps } from "../../ops/gradients.js"
import type { SequenceRows, Weight } from "../../ops/ops.js"
import { elements, type Tensor } from "../../tensor/tensor.js"
import { flatUnit, NativeForward } from "./forward.js"
import { recordInputGradient, recordWeightGradient } from "./linear.js"
import type { NativeTensor } from "./tensor.js"
import { NativeWeight } from "./weights.js"

/** Columns of a unit of operations that sum over tokens. */
const columnUnit = 64
/** Elements of a part of squaredNorm: the parts are what its order of summation hangs on. */
const normUnit = 16384

export class NativeGradients extends NativeForward implements GradientOps {
  /** The tensor itself, packed when a linear needs it. It may not be used any more once the tensor has changed. */
  weight(x: Tensor): Weight {
    const { rows, columns } = matrix("weight", x)
    const source = this.machine.own(x)
    return new NativeWeight([rows, columns], "f32", source.address, this.machine, source, this.machine.scope)
  }

  linearInputGradient(dy: Tensor, weight: Weight): Tensor {
    const gradient = this.machine.own(dy)
    const w = this.machine.ownWeight(weight)
    checkLinearInputGradient(dy, weight)
    const [tokens] = dy.shape
    const [, columns] = w.shape
    const dx = this.machine.make([tokens, columns])
    recordInputGradient(this.machine, gradient, w, dx)
    return dx
  }

  linearWeightGradient(dy: Tensor, x: Tensor, into: Tensor): void {
    checkLinearWeightGradient(dy, x, into)
    recordWeightGradient(this.machine, this.machine.own(dy), this.machine.own(x), this.#changing(into))
  }

  embeddingGradient(dy: Tensor, ids: Int32Array, into: Tensor): void {
    checkEmbeddingGradient(dy, ids, into)
    const columns = into.shape[1]
    const [gradient, target] = [this.machine.own(dy), this.#changing(into)]
    const operands = [
      gradient.address,
      this.machine.integers(ids),
      target.address,
      ids.length,
      columns,
      columnUnit,
    ]
    this.machine.record("EmbeddingGradient", Math.ceil(columns / columnUnit), operands)
  }

  rmsNormGradient(dy: Tensor, x: Tensor, gain: Tensor, epsilon: number, gainInto?: Tensor): Tensor {
    checkRmsNormGradient(dy, x, gain, gainInto)
    const [gradient, input, scale] = [dy, x, gain].map((tensor) => this.machine.own(tensor).address)
    const [tokens, columns] = x.shape
    const dx = this.machine.make(x.shape)
    const units = this.machine.ask("rmsNormGradientUnits", tokens)
    const parts = gainInto ? this.machine.staging.allocate(units * columns * 4) : 0
    const operands = [gradient, input, scale, dx.address, parts, tokens, columns, epsilon]
    this.machine.record("RmsNormGradient", units, operands)
    if (gainInto) {
      const sums = [parts, this.#changing(gainInto).address, units, columns, columnUnit]
      this.machine.record("AddParts", Math.ceil(columns / columnUnit), sums)
      this.machine.staging.reset()
    }
    return dx
  }

  ropeGradient(dy: Tensor, rotation: Tensor): Tensor {
    checkRope(dy, rotation)
    return this.byRows("Rope", [dy, rotation], [dy.shape[1], rotation.shape[1], -1])
  }

  attentionGradient(
    dy: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
  ): { query: Tensor; key: Tensor; value: Tensor } {
    const { queryHeads, kvHeads } = checkAttentionGradient(
      dy,
      query,
      key,
      value,
      output,
      sequences,
      headWidth,
    )
    const inputs = [dy, query, key, value, output].map((tensor) => this.machine.own(tensor).address)
    const gradients = {
      query: this.machine.make(query.shape),
      key: this.machine.make(key.shape),
      value: this.machine.make(value.shape),
    }
    const targets = [gradients.query.address, gradients.key.address, gradients.value.address]
    const rows = this.machine.integers(
      Int32Array.from(sequences.flatMap(({ first, length }) => [first, length])),
    )
    const form = [kvHeads, queryHeads / kvHeads, headWidth, 1 / Math.sqrt(headWidth)]
    const statistics = this.machine.staging.allocate(query.shape[0] * queryHeads * 8)
    const operands = [...inputs, ...targets, rows, ...form, statistics]
    this.machine.record("AttentionGradient", sequences.length * kvHeads, operands)
    this.machine.staging.reset()
    return gradients
  }

  swiGluGradient(dy: Tensor, gate: Tensor, up: Tensor): { gate: Tensor; up: Tensor } {
    checkSwiGluGradient(dy, gate, up)
    const inputs = [dy, gate, up].map((tensor) => this.machine.own(tensor).address)
    const gradients = { gate: this.machine.make(gate.shape), up: this.machine.make(up.shape) }
    const count = elements(gate.shape)
    const operands = [...inputs, gradients.gate.address, gradients.up.address, count, flatUnit]
    this.machine.record("SwiGluGradient", Math.ceil(count / flatUnit), operands)
    return gradients
  }

  rowsGradient(dy: Tensor, indices: Int32Array, rows: number): Tensor {
    checkRowsGradient(dy, indices, rows)
    const columns = dy.shape[1]
    const gradient = this.machine.own(dy)
    const dx = this.machine.make([rows, columns])
    const indicesAt = this.machine.integers(indices)
    const operands = [gradient.address, indicesAt, dx.address, indices.length, rows, columns, columnUnit]
    this.machine.record("RowsGradient", Math.ceil(columns / columnUnit), operands)
    return dx
  }

  logProbabilities(logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilities", logits, targets)
    const [rows, columns] = logits.shape
    const source = this.machine.own(logits)
    const y = this.machine.make([rows])
    const operands = [source.address, this.machine.integers(targets), y.address, columns]
    this.machine.record("LogProbabilities", rows, operands)
    return y
  }

  logProbabilitiesGradient(dy: Tensor, logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilitiesGradient", logits, targets, dy)
    const [rows, columns] = logits.shape
    const [gradient, source] = [this.machine.own(dy), this.machine.own(logits)]
    const dx = this.machine.make(logits.shape)
    const operands = [gradient.address, source.address, this.machine.integers(targets), dx.address, columns]
    this.machine.record("LogProbabilitiesGradient", rows, operands)
    return dx
  }

  crossEntropy(logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const each = checkCrossEntropy("crossEntropy", logits, ids, p)
    const [rows, columns] = logits.shape
    const source = this.machine.own(logits)
    const y = this.machine.make([rows])
    const [idsAt, pAt] = [this.machine.integers(ids), this.machine.reals(p)]
    this.machine.record("CrossEntropy", rows, [source.address, idsAt, pAt, y.address, columns, each])
    return y
  }

  crossEntropyGradient(dy: Tensor, logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const each = checkCrossEntropy("crossEntropyGradient", logits, ids, p, dy)
    const [rows, columns] = logits.shape
    const [gradient, source] = [this.machine.own(dy), this.machine.own(logits)]
    const dx = this.machine.make(logits.shape)
    const [idsAt, pAt] = [this.machine.integers(ids), this.machine.reals(p)]
    const operands = [gradient.address, source.address, idsAt, pAt, dx.address, columns, each]
    this.machine.record("CrossEntropyGradient", rows, operands)
    return dx
  }

  scale(x: Tensor, scale: number): Tensor {
    return this.flat("Scale", [x], [scale])
  }

  fill(x: Tensor, value: number): void {
    const target = this.#changing(x)
    const count = elements(x.shape)
    this.machine.record("Fill", Math.ceil(count / flatUnit), [target.address, count, flatUnit, value])
  }

  accumulate(into: Tensor, x: Tensor, scale: number): void {
    checkSame("accumulate", into, x)
    const [target, source] = [this.#changing(into), this.machine.own(x)]
    const count = elements(x.shape)
    const operands = [target.address, source.address, count, flatUnit, scale]
    this.machine.record("Accumulate", Math.ceil(count / flatUnit), operands)
  }

  squaredNorm(x: Tensor): Tensor {
    const source = this.machine.own(x)
    const count = elements(x.shape)
    const parts = Math.ceil(count / normUnit)
    const y = this.machine.make([1])
    const partsAt = this.machine.staging.allocate(parts * 8)
    this.machine.record("SquaredNormParts", parts, [source.address, partsAt, count, normUnit])
    this.machine.record("SumParts", 1, [partsAt, y.address, parts])
    this.machine.staging.reset()
    return y
  }

  adamW(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: AdamWStep): void {
    checkAdamW(parameter, gradient, m, v)
    const g = this.machine.own(gradient)
    const [p, first, second] = [parameter, m, v].map((tensor) => this.#changing(tensor).address)
    const count = elements(parameter.shape)
    const { learningRate, beta1, beta2, epsilon, weightDecay, gradientScale } = step
    const numbers = [learningRate, beta1, beta2, epsilon, weightDecay, step.step, gradientScale]
    const operands = [p, g.address, first, second, count, flatUnit, ...numbers]
    this.machine.record("AdamW", Math.ceil(count / flatUnit), operands)
  }

  /** A tensor that an operation changes in place. */
  #changing(x: Tensor): NativeTensor {
    const tensor = this.machine.own(x)
    tensor.changes++
    tensor.quantized = tensor.dense = undefined
    return tensor
  }
}
