// The values of all tensors of a model, from a checkpoint of any format or from a seed, by the names of transformers.
import { InvalidFileError } from "../errors/index.js"
import type { Checkpoint } from "../formats/checkpoint.js"
import type { TensorFile } from "../formats/tensor-file.js"
import { layoutOf, readRows, sourcesOf } from "../model/checkpoint.js"
import type { ModelConfig } from "../model/config.js"
import { elements } from "../tensor/tensor.js"
import { decode } from "../weights/index.js"
import { deviationOf, normal } from "./initialize.js"
import { tensorForms } from "./trainable.js"

export type ModelValues = ReadonlyMap<string, Float32Array>

/** Reads a checkpoint into float32; throws what `layoutOf` throws. */
export async function readModelValues(
  checkpoint: Checkpoint,
): Promise<{ config: ModelConfig; values: ModelValues }> {
  const layout = await layoutOf(checkpoint)
  const sources = sourcesOf(layout) // in the order of tensorForms
  const values = new Map<string, Float32Array>()
  for (const [i, { name }] of tensorForms(layout.config).entries()) {
    const source = sources[i]
    const tensor = new Float32Array(source.rows * source.columns)
    let at = 0
    for await (const { rows, bytes } of readRows(checkpoint.tensors, source)) {
      decode(source.entry.encoding, bytes, tensor.subarray(at, (at += rows * source.columns)))
    }
    values.set(name, tensor)
  }
  return { config: layout.config, values }
}

/** A new model: gains of norms are 1, matrices normal numbers (see `initialize.ts`). */
export function newModelValues(config: ModelConfig, deviation: number, seed: number): ModelValues {
  return new Map(
    tensorForms(config).map(({ name, shape }, number) => {
      if (shape.length === 1) return [name, new Float32Array(shape[0]).fill(1)]
      return [name, normal(shape, deviationOf(name, config, deviation), seed, number)]
    }),
  )
}

/** Values of one tensor of a file; InvalidFileError where it is not there. */
export async function readTensor(file: TensorFile, name: string): Promise<Float32Array> {
  const entry = file.tensors.get(name)
  if (!entry)
    throw new InvalidFileError(`there is no tensor ${name} in the file: it belongs to another model`)
  const bytes = new Uint8Array(entry.byteLength)
  await file.read(name, 0, bytes)
  const values = new Float32Array(elements(entry.shape))
  decode(entry.encoding, bytes, values)
  return values
}
