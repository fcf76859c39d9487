// The start of a run that trains an adapter (Node only): the frozen model in the kind that the recipe asks for, the factors
// new or from a checkpoint, written in the format of PEFT or merged into the weights.
import { join } from "node:path"
import {
  adapterConfig,
  adapterConfigName,
  type AdapterForm,
  adapterTensorsName,
  merged,
} from "../adapters/index.js"
import { openCheckpoint } from "../formats/disk-folder.js"
import { fileSource } from "../formats/file-source.js"
import { openSafetensors } from "../formats/safetensors.js"
import { writeFileAtomically } from "../formats/write-file.js"
import { loadModel } from "../model/checkpoint.js"
import { elements, type Shape, type Tensor } from "../tensor/tensor.js"
import { filesOf, modelAt } from "./first-model.js"
import { writeModelFiles, writeTensors } from "./model-folder.js"
import { readTensor } from "./model-values.js"
import type { Recipe } from "./recipe/schema.js"
import { firstHead, keyOf, readMoments, type Start, type StartOptions } from "./start.js"
import { adapterForms, newFactor, trainAdapter } from "./train-adapter.js"
import { headForm, tensorForms } from "./trainable.js"

export async function startAdapter(
  options: StartOptions,
  adapter: NonNullable<Recipe["adapter"]>,
  origin: string,
): Promise<Start> {
  const { recipe, backend, saved, hasHead } = options
  const { rank, targets, base, merge } = adapter
  const form: AdapterForm = { rank, targets, alpha: adapter.alpha ?? 2 * rank }
  const checkpoint = await openCheckpoint(origin)
  const model = await loadModel(checkpoint, backend, { weights: base }).finally(() => void checkpoint.close())
  const { files, tokenizer } = filesOf(checkpoint, model.config)
  const forms = adapterForms(model, form)
  const values = new Map<string, Float32Array>()
  if (saved) {
    const file = await openSafetensors(await fileSource(join(saved.path, adapterTensorsName)))
    for (const { name } of forms) values.set(name, await readTensor(file, name))
    await file.close()
  } else
    for (const [number, form] of forms.entries()) values.set(form.name, newFactor(form, number, recipe.seed))
  if (hasHead) values.set(headForm(model.config).name, await firstHead(options, headForm(model.config)))
  const moments = saved && (await readMoments(saved.path, [...values.keys()]))
  const trainable = trainAdapter(
    backend,
    model,
    form,
    ({ name }) => ({ value: values.get(name)!, ...moments?.get(name) }),
    hasHead,
  )
  const valueOf = (name: string): Tensor =>
    trainable.parameters.find((parameter) => parameter.name === name)!.value
  const mergedWith = async (weight: Float32Array, shape: Shape, factors?: { a: string; b: string }) => {
    if (!factors) return weight
    const scope = backend.scope()
    try {
      const [a, b] = [valueOf(factors.a), valueOf(factors.b)]
      return await backend.read(merged(backend, backend.tensor(weight, shape), a, b, form.alpha / rank))
    } finally {
      scope.end()
    }
  }
  const write = async (into: string) => {
    const tensors = trainable.parameters.map(({ name, shape, value }) => {
      return { name, shape, read: () => backend.read(value) }
    })
    await writeTensors(join(into, adapterTensorsName), tensors, "f32")
    await writeFileAtomically(
      join(into, adapterConfigName),
      `${JSON.stringify(adapterConfig(form, origin), undefined, 2)}\n`,
    )
  }
  return {
    trainable,
    tokenizer,
    tokenizerKey: keyOf(files.tokenizer),
    chatTemplate: files.chatTemplate,
    origin,
    modelParameters: tensorForms(model.config).reduce((sum, { shape }) => sum + elements(shape), 0),
    write,
    async writeFinal(into) {
      if (!merge) return write(into)
      const { values: first } = await modelAt(origin)
      const updates = new Map(
        forms
          .filter(({ name }) => name.endsWith(".lora_A.weight"))
          .map(({ name }) => [mergedName(name), { a: name, b: name.replace("lora_A", "lora_B") }]),
      )
      const tensors = tensorForms(model.config).map(({ name, shape }) => ({
        name,
        shape,
        read: () => mergedWith(first.get(name)!, shape, updates.get(name)),
      }))
      const { name, shape } = headForm(model.config)
      if (hasHead) tensors.push({ name, shape, read: () => backend.read(valueOf(name)) })
      await writeTensors(join(into, "model.safetensors"), tensors, recipe.save)
      await writeModelFiles(into, { ...files, sampling: recipe.model.sampling }, recipe.save, hasHead)
    },
  }
}

/** Name of the weight that a factor belongs to. */
const mergedName = (factor: string): string =>
  factor.replace(/^base_model\.model\./, "").replace(/\.lora_A\.weight$/, ".weight")
