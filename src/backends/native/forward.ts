// The operations of the model, recorded as commands. What a command computes is in kernels/; here is only where its
// operands lie.
import {
  checkAttention,
  checkEmbedding,
  checkLinear,
  checkRmsNorm,
  checkRope,
  checkRows,
  checkSame,
} from "../../ops/checks.js"
import type { Ops, PageStore, SequenceRows, Weight } from "../../ops/ops.js"
import { elements, type Shape, type Tensor } from "../../tensor/tensor.js"
import type { Operation } from "./addon.js"
import { recordAttention } from "./attention.js"
import { recordLinear } from "./linear.js"
import type { Machine } from "./machine.js"
import { kindNumber } from "./weights.js"

/** Elements of a unit of operations on single values. */
export const flatUnit = 8192

export class NativeForward implements Ops {
  constructor(protected readonly machine: Machine) {}

  tensor(values: Float32Array, shape: Shape): Tensor {
    if (values.length !== elements(shape)) {
      throw new Error(`${values.length} values for a tensor of ${elements(shape)} elements`)
    }
    // Memory that recorded operations still use never comes back as this tensor's: only a scope's end frees any, and
    // that runs the list first.
    const y = this.machine.make(shape)
    this.machine.write(y.address, values)
    return y
  }

  embedding(table: Weight, ids: Int32Array): Tensor {
    const weight = this.machine.ownWeight(table)
    checkEmbedding(table, ids)
    const [rows, columns] = weight.shape
    const y = this.machine.make([ids.length, columns])
    const idsAt = this.machine.integers(ids)
    if (weight.source) {
      this.machine.record("CopyRows", ids.length, [weight.address, idsAt, y.address, columns])
      return y
    }
    const operands = [weight.address, idsAt, y.address, rows, columns, kindNumber(weight.kind)]
    this.machine.record("Embedding", ids.length, operands)
    return y
  }

  linear(x: Tensor, weight: Weight): Tensor {
    const source = this.machine.own(x)
    const w = this.machine.ownWeight(weight)
    checkLinear(x, weight)
    const y = this.machine.make([x.shape[0], weight.shape[0]])
    recordLinear(this.machine, source, w, y)
    return y
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    checkRmsNorm(x, gain)
    return this.byRows("RmsNorm", [x, gain], [x.shape[1], epsilon])
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    checkRope(x, rotation)
    return this.byRows("Rope", [x, rotation], [x.shape[1], rotation.shape[1], 1])
  }

  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor {
    const heads = checkAttention(query, key, value, sequences, headWidth, cache)
    const pages = cache && this.machine.ownPages(cache.pages)
    if (cache && !(cache.layer in pages!.layers))
      throw new Error(`layer ${cache.layer} of ${cache.pages.layout.layers}`)
    const [q, k, v] = [query, key, value].map((tensor) => this.machine.own(tensor))
    const target = this.machine.make(query.shape)
    recordAttention(this.machine, {
      ...heads,
      headWidth,
      query: q,
      key: k,
      value: v,
      target,
      sequences,
      cache: cache && { pages: pages!, layer: cache.layer },
    })
    return target
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    checkSame("swiGlu", gate, up)
    return this.flat("SwiGlu", [gate, up])
  }

  add(x: Tensor, y: Tensor, scale = 1): Tensor {
    checkSame("add", x, y)
    return this.flat("Add", [x, y], [scale])
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    checkRows(x, indices)
    const source = this.machine.own(x)
    const columns = x.shape[1]
    const y = this.machine.make([indices.length, columns])
    const operands = [source.address, this.machine.integers(indices), y.address, columns]
    this.machine.record("CopyRows", indices.length, operands)
    return y
  }

  /** Records an operation that makes a tensor like the first input, row by row. */
  protected byRows(operation: Operation, inputs: readonly Tensor[], rest: readonly number[]): Tensor {
    const addresses = inputs.map((input) => this.machine.own(input).address)
    const y = this.machine.make(inputs[0].shape)
    this.machine.record(operation, inputs[0].shape[0], [...addresses, y.address, ...rest])
    return y
  }

  /** Records an operation that makes a tensor like the first input, element by element. */
  protected flat(operation: Operation, inputs: readonly Tensor[], rest: readonly number[] = []): Tensor {
    const addresses = inputs.map((input) => this.machine.own(input).address)
    const y = this.machine.make(inputs[0].shape)
    const count = elements(y.shape)
    const operands = [...addresses, y.address, count, flatUnit, ...rest]
    this.machine.record(operation, Math.ceil(count / flatUnit), operands)
    return y
  }
}
