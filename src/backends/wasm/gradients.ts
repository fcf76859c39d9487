// The operations of training as commands. The products of linear's gradients are linear's own: one operand is brought
// into the order of a weight in panels, the other into tiles of tokens.
import { UnsupportedError } from "../../errors/errors.js"
import { checkRope, checkSame, matrix } from "../../ops/checks.js"
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
import type { AdamWStep, GradientOps } from "../../ops/gradients.js"
import type { SequenceRows, Weight } from "../../ops/ops.js"
import { elements, type Shape, type Tensor } from "../../tensor/tensor.js"
import { real, type Recorder } from "./commands.js"
import { recordLinear } from "./linear.js"
import { COLUMN_BLOCK, DENSE_PANEL, FLAT_UNIT, GRADIENT_ROWS, Op } from "./opcodes.js"
import { WasmForward } from "./forward.js"
import { layouts, packedBytes, WasmWeight } from "./weights.js"

const flatUnits = (x: Tensor): number => Math.ceil(elements(x.shape) / FLAT_UNIT)
const columnUnits = (columns: number): number => Math.ceil(columns / COLUMN_BLOCK)
const eights = (x: number): number => Math.ceil(x / 8)
/** Floats as the words that the list of commands carries. */
const bits = (values: Float32Array): Int32Array =>
  new Int32Array(values.buffer, values.byteOffset, values.length)

export abstract class WasmGradients extends WasmForward implements GradientOps {
  weight(x: Tensor): Weight {
    const { rows, columns } = matrix("weight", x)
    this.begin()
    const bytes = packedBytes("f32", rows, columns)
    const place = { recorder: this.main, address: this.allocate(bytes), bytes }
    this.#run(Op.PackWeight, Math.ceil(rows / DENSE_PANEL), [this.#at(x), place.address, rows, columns])
    return new WasmWeight([rows, columns], "f32", place, this, this.openScope)
  }

  /** `dy W` is a linear with the transpose of W. */
  linearInputGradient(dy: Tensor, weight: Weight): Tensor {
    checkLinearInputGradient(dy, weight)
    const source = this.own(dy)
    const { kind, place } = this.ownWeight(weight)
    const [N, K] = weight.shape
    const [tokens] = dy.shape
    const y = this.make([tokens, K])
    const { address, stride } = this.form(source, false)
    const { recorder } = place
    const rows = recorder.staging.allocate(N * K * 4)
    this.recordIn(recorder, Op.DecodeWeight, N, [place.address, rows, K, layouts[kind].kind, N])
    const panels = this.#columns(recorder, rows, N, K)
    const transpose = { shape: [K, N], kind: "f32", place: { recorder, address: panels } } as const
    recordLinear(this.recording, transpose, { tokens, address, stride, target: y.address })
    recorder.staging.reset()
    return y
  }

  /** `dy^T x` is a linear of the columns of dy with those of x. */
  linearWeightGradient(dy: Tensor, x: Tensor, into: Tensor): void {
    checkLinearWeightGradient(dy, x, into)
    this.begin()
    const [T, N] = dy.shape
    const K = x.shape[1]
    const main = this.main
    const address = this.#columns(main, this.#at(dy), T, N)
    const panels = this.#columns(main, this.#at(x), T, K)
    const transpose = { shape: [K, T], kind: "f32", place: { recorder: main, address: panels } } as const
    const operands = { tokens: N, address, stride: T * 4, target: this.#at(into), adds: true }
    recordLinear(this.recording, transpose, operands)
    main.staging.reset()
  }

  embeddingGradient(dy: Tensor, ids: Int32Array, into: Tensor): void {
    checkEmbeddingGradient(dy, ids, into)
    this.begin()
    this.#addRows(dy, ids, into)
  }

  rmsNormGradient(dy: Tensor, x: Tensor, gain: Tensor, epsilon: number, gainInto?: Tensor): Tensor {
    checkRmsNormGradient(dy, x, gain, gainInto)
    const [tokens, columns] = x.shape
    const y = this.make(x.shape)
    const roots = this.main.staging.allocate(tokens * 4)
    const [dyAt, xAt] = [this.#at(dy), this.#at(x)]
    const args = [dyAt, xAt, this.#at(gain), y.address, roots, columns, real(epsilon)]
    this.#run(Op.RmsNormGradient, tokens, args)
    if (gainInto) {
      const rest = [roots, this.#at(gainInto), tokens, columns]
      this.#run(Op.GainGradient, columnUnits(columns), [dyAt, xAt, ...rest])
    }
    this.main.staging.reset()
    return y
  }

  ropeGradient(dy: Tensor, rotation: Tensor): Tensor {
    checkRope(dy, rotation)
    const [tokens, columns] = dy.shape
    const y = this.make(dy.shape)
    this.record(Op.Rope, tokens, y, [dy, rotation], [columns, rotation.shape[1], real(-1)])
    return y
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
    const heads = checkAttentionGradient(dy, query, key, value, output, sequences, headWidth)
    if (headWidth % 4 !== 0)
      throw new UnsupportedError(`training needs heads of a multiple of 4, these are ${headWidth} wide`)
    const { kvHeads, queryHeads } = heads
    const gradients = {
      query: this.make(query.shape),
      key: this.make(key.shape),
      value: this.make(value.shape),
    }
    const { main } = this
    const operands = [query, key, value, output, dy, gradients.query, gradients.key, gradients.value]
    const texts = sequences.flatMap(({ first, length }) => {
      const floats = 2 * GRADIENT_ROWS * Math.ceil(length / 4) * 4 * kvHeads
      return [first, length, main.staging.allocate(floats * 4)]
    })
    this.#run(Op.AttentionGradient, sequences.length * kvHeads, [
      main.integers(Int32Array.from(operands, (operand) => this.#at(operand))),
      main.integers(Int32Array.from(texts)),
      kvHeads,
      queryHeads / kvHeads,
      headWidth,
      real(1 / Math.sqrt(headWidth)),
    ])
    main.staging.reset()
    return gradients
  }

  swiGluGradient(dy: Tensor, gate: Tensor, up: Tensor): { gate: Tensor; up: Tensor } {
    checkSwiGluGradient(dy, gate, up)
    const gradients = { gate: this.make(gate.shape), up: this.make(up.shape) }
    const operands = [dy, gate, up, gradients.gate, gradients.up].map((operand) => this.#at(operand))
    this.#run(Op.SwiGluGradient, flatUnits(dy), [...operands, elements(dy.shape)])
    return gradients
  }

  rowsGradient(dy: Tensor, indices: Int32Array, rows: number): Tensor {
    checkRowsGradient(dy, indices, rows)
    const y = this.make([rows, dy.shape[1]])
    this.#fill(y, 0)
    this.#addRows(dy, indices, y)
    return y
  }

  logProbabilities(logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilities", logits, targets)
    return this.#loss(Op.LogProbabilities, logits, targets, [logits.shape[0]], () => [])
  }

  logProbabilitiesGradient(dy: Tensor, logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilitiesGradient", logits, targets, dy)
    return this.#loss(Op.LogProbabilitiesGradient, logits, targets, logits.shape, () => [this.#at(dy)])
  }

  crossEntropy(logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const k = checkCrossEntropy("crossEntropy", logits, ids, p)
    return this.#loss(Op.CrossEntropy, logits, ids, [logits.shape[0]], () => [this.main.integers(bits(p)), k])
  }

  crossEntropyGradient(dy: Tensor, logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const k = checkCrossEntropy("crossEntropyGradient", logits, ids, p, dy)
    return this.#loss(Op.CrossEntropyGradient, logits, ids, logits.shape, () => [
      this.main.integers(bits(p)),
      k,
      this.#at(dy),
    ])
  }

  scale(x: Tensor, scale: number): Tensor {
    const y = this.make(x.shape)
    this.record(Op.Scale, flatUnits(x), y, [x], [elements(x.shape), real(scale)])
    return y
  }

  fill(x: Tensor, value: number): void {
    this.begin()
    this.#fill(x, value)
  }

  accumulate(into: Tensor, x: Tensor, scale: number): void {
    checkSame("accumulate", into, x)
    this.begin()
    const at = this.#at(into)
    this.#run(Op.Add, flatUnits(x), [at, this.#at(x), at, elements(x.shape), real(scale)])
  }

  squaredNorm(x: Tensor): Tensor {
    const y = this.make([1])
    const units = flatUnits(x)
    const sums = this.main.staging.allocate(units * 4)
    this.#run(Op.Squares, units, [this.#at(x), sums, elements(x.shape)])
    this.#run(Op.Sum, 1, [sums, y.address, units])
    this.main.staging.reset()
    return y
  }

  adamW(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, at: AdamWStep): void {
    checkAdamW(parameter, gradient, m, v)
    this.begin()
    const numbers = Float32Array.of(
      at.gradientScale,
      at.beta1,
      1 - at.beta1,
      at.beta2,
      1 - at.beta2,
      at.learningRate / (1 - at.beta1 ** at.step),
      1 / (1 - at.beta2 ** at.step),
      at.epsilon,
      1 - at.learningRate * at.weightDecay,
    )
    const operands = [parameter, gradient, m, v].map((operand) => this.#at(operand))
    const args = [...operands, elements(parameter.shape), this.main.integers(bits(numbers))]
    this.#run(Op.AdamW, flatUnits(parameter), args)
  }

  #at(tensor: Tensor): number {
    return this.own(tensor).address
  }

  /** Records a command that waits for all before it, and is waited for. */
  #run(op: Op, units: number, args: readonly number[]): void {
    this.recordIn(this.main, op, units, args)
  }

  /** The columns of a matrix [T, C] of floats, eight side by side, in staging memory. */
  #columns(recorder: Recorder, address: number, T: number, C: number): number {
    const target = recorder.staging.allocate(eights(C) * T * 32)
    this.recordIn(recorder, Op.GatherColumns, eights(C), [address, target, T, C])
    return target
  }

  #addRows(dy: Tensor, indices: Int32Array, into: Tensor): void {
    const [rows, columns] = dy.shape
    const args = [this.#at(dy), this.main.integers(indices), this.#at(into), rows, columns]
    this.#run(Op.AddRows, columnUnits(columns), args)
  }

  #fill(x: Tensor, value: number): void {
    this.#run(Op.Fill, flatUnits(x), [this.#at(x), elements(x.shape), real(value)])
  }

  /** What the losses and their gradients have in common; `rest` are the operands after the number of logits. */
  #loss(op: Op, logits: Tensor, ids: Int32Array, shape: Shape, rest: () => number[]): Tensor {
    const y = this.make(shape)
    const [rows, columns] = logits.shape
    const args = [this.#at(logits), this.main.integers(ids), y.address, columns, ...rest()]
    this.#run(op, rows, args)
    return y
  }
}
