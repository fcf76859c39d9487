// The mean of the weights of several checkpoints (Polyak averaging), tensor by tensor, in double precision (Node only).
import { InvalidOptionError } from "../errors/index.js"
import { fileSource } from "../formats/file-source.js"
import { openSafetensors } from "../formats/safetensors.js"
import type { Shape } from "../tensor/tensor.js"
import type { NamedTensor } from "./model-folder.js"
import { readTensor } from "./model-values.js"

/** Tensors of safetensors files; values are read when they are asked for. */
export function averageTensors(
  paths: readonly string[],
  forms: readonly { readonly name: string; readonly shape: Shape }[],
): NamedTensor[] {
  return forms.map(({ name, shape }) => ({ name, shape, read: () => mean(paths, name) }))
}

async function mean(paths: readonly string[], name: string): Promise<Float32Array> {
  let sum: Float64Array | undefined
  for (const path of paths) {
    const file = await openSafetensors(await fileSource(path))
    try {
      const values = await readTensor(file, name)
      sum ??= new Float64Array(values.length)
      if (values.length !== sum.length)
        throw new InvalidOptionError(`${path}: ${name} has another shape than in ${paths[0]}`)
      for (let i = 0; i < values.length; i++) sum[i] += values[i]
    } finally {
      await file.close()
    }
  }
  return Float32Array.from(sum!, (value) => value / paths.length)
}
