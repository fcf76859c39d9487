// For tests: an adapter of random factors in PEFT's format, strong enough to change what a model says.
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Llama } from "cria"
import {
  adapterConfig,
  adapterConfigName,
  adapterTensorsName,
  factorName,
  targetShape,
} from "#cria/adapters/index"
import { elements } from "#cria/tensor/tensor"
import { writeTensors } from "#cria/train/model-folder"
import { randomValues, seeded } from "./contract/random.js"

/** Writes the adapter for a loaded model into a new folder; returns the folder. */
export async function makeAdapter(
  folder: string,
  llama: Llama,
  model: string,
  seed: number,
): Promise<string> {
  await mkdir(folder)
  const form = { rank: 4, alpha: 8, targets: ["query", "down"] as const }
  await writeFile(join(folder, adapterConfigName), JSON.stringify(adapterConfig(form, model)))
  const random = seeded(seed)
  const tensors = Array.from({ length: llama.config.layers }, (_, layer) =>
    form.targets.flatMap((target) => {
      const [N, K] = targetShape(target, llama.config)
      return [
        { name: factorName(target, layer, "A"), shape: [4, K] },
        { name: factorName(target, layer, "B"), shape: [N, 4] },
      ]
    }),
  ).flat()
  const read = (shape: readonly number[]) => async () =>
    randomValues(random, elements(shape)).map((value) => value * 0.2)
  await writeTensors(
    join(folder, adapterTensorsName),
    tensors.map((tensor) => ({ ...tensor, read: read(tensor.shape) })),
    "f32",
  )
  return folder
}
