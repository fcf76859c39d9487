// The operations of the model as commands: which kernel does what is in opcodes.ts, what it computes in kernels/; here
// is only where its operands lie.
import {
  checkAttention,
  checkEmbedding,
  checkLinear,
  checkRmsNorm,
  checkRope,
  checkRows,
  checkSame,
  matrix,
} from "../../ops/checks.js"
import type { Ops, PageStore, SequenceRows, Weight } from "../../ops/ops.js"
import { elements, type Tensor } from "../../tensor/tensor.js"
import { isInteger } from "../../weights/kind.js"
import { recordAttention } from "./attention.js"
import { real } from "./commands.js"
import { WasmMachine } from "./machine.js"
import { align } from "./heap.js"
import { recordInterleave, recordLinear, recordQuantize, wholeTiles } from "./linear.js"
import { FLAT_UNIT, Op } from "./opcodes.js"
import type { Form, WasmTensor } from "./tensor.js"
import { layouts, quantizedBytes } from "./weights.js"

export abstract class WasmForward extends WasmMachine implements Ops {
  embedding(table: Weight, ids: Int32Array): Tensor {
    const weight = this.ownWeight(table)
    checkEmbedding(table, ids)
    const [rows, columns] = weight.shape
    const y = this.make([ids.length, columns])
    const { recorder, address } = weight.place
    const local = recorder === this.main
    const bytes = ids.length * columns * 4
    const target = local ? y.address : recorder.staging.allocate(bytes)
    const args = [address, recorder.integers(ids), target, columns, layouts[weight.kind].kind, rows]
    this.recordIn(recorder, Op.Embedding, ids.length, args)
    if (!local) {
      this.recordCopy(recorder, target, this.main, y.address, bytes)
      recorder.staging.reset()
    }
    return y
  }

  linear(x: Tensor, weight: Weight): Tensor {
    const source = this.own(x)
    const w = this.ownWeight(weight)
    checkLinear(x, weight)
    const [tokens] = x.shape
    const y = this.make([tokens, weight.shape[0]])
    const { address, stride } = this.form(source, isInteger(w.kind))
    recordLinear(this.recording, w, { tokens, address, stride, target: y.address })
    return y
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    checkRmsNorm(x, gain)
    const [tokens, columns] = x.shape
    const y = this.make(x.shape)
    this.record(Op.RmsNorm, tokens, y, [x, gain], [columns, real(epsilon)])
    return y
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    checkRope(x, rotation)
    const [tokens, columns] = x.shape
    const y = this.make(x.shape)
    this.record(Op.Rope, tokens, y, [x, rotation], [columns, rotation.shape[1], real(1)])
    return y
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
    const y = this.make(query.shape)
    const [q, k, v] = [query, key, value].map((tensor) => this.own(tensor).address)
    const pages = cache && this.ownPages(cache.pages)
    const layer = cache && pages!.layers[cache.layer]
    if (cache && !layer) throw new Error(`layer ${cache.layer} of ${cache.pages.layout.layers}`)
    recordAttention(this.recording, {
      ...heads,
      headWidth,
      tokens: query.shape[0],
      query: q,
      key: k,
      value: v,
      target: y.address,
      sequences,
      pages,
      layer,
    })
    return y
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    return this.#flat("swiGlu", Op.SwiGlu, gate, up, [])
  }

  add(x: Tensor, y: Tensor, scale = 1): Tensor {
    return this.#flat("add", Op.Add, x, y, [real(scale)])
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    checkRows(x, indices)
    const source = this.own(x)
    const [, columns] = x.shape
    const y = this.make([indices.length, columns])
    const args = [source.address, this.main.integers(indices), y.address, columns]
    this.recordIn(this.main, Op.CopyRows, indices.length, args)
    return y
  }

  #flat(name: string, op: Op, x: Tensor, y: Tensor, rest: readonly number[]): Tensor {
    checkSame(name, x, y)
    const z = this.make(x.shape)
    const count = elements(x.shape)
    this.record(op, Math.ceil(count / FLAT_UNIT), z, [x, y], [count, ...rest])
    return z
  }

  /** The activations as the kernels of a linear want them; made once for all linears of the same x. */
  protected form(x: WasmTensor, quantized: boolean): Pick<Form, "address" | "stride"> {
    const { rows: tokens, columns } = matrix("linear", x)
    if (!quantized && tokens === 1) return { address: x.address, stride: columns * 4 }
    const known = quantized ? x.quantized : x.interleaved
    if (known && !known.scope?.ended) return known
    const stride = quantized ? align(quantizedBytes(columns)) : columns * 4
    const form = { address: this.allocate(wholeTiles(tokens) * stride), stride, scope: this.openScope }
    const operands = { tokens, columns, source: x.address, target: form.address, stride }
    if (quantized) recordQuantize(this.recording, operands)
    else recordInterleave(this.recording, operands)
    if (quantized) x.quantized = form
    else x.interleaved = form
    return form
  }
}
