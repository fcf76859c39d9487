// Factors of an adapter as weights on a backend, by the weights of the model that they update.
import type { Backend } from "../backends/backend.js"
import type { Model } from "../model/llama.js"
import type { Weight } from "../ops/ops.js"
import type { Adapter } from "./low-rank.js"
import type { AdapterFactors } from "./peft.js"
import { targetShape, targetWeight } from "./targets.js"

/** Takes memory of the backend for as long as it lives; the model's weights are left as they are. */
export function bindAdapter(backend: Backend, model: Model, factors: readonly AdapterFactors[]): Adapter {
  const weight = (values: Float32Array, rows: number, columns: number): Weight => {
    const writer = backend.createWeight("f32", rows, columns)
    writer.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    return writer.finish()
  }
  return new Map(
    factors.map(({ target, layer, rank, scale, a, b }) => {
      const [N, K] = targetShape(target, model.config)
      const update = { a: weight(a, rank, K), b: weight(b, N, rank), scale }
      return [targetWeight(model.blocks[layer], target), update]
    }),
  )
}
