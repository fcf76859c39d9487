// Training as a library, in Node and in pages alike: the loop, its methods, models with parameters, batches from data in
// memory. Runs by recipe, with checkpoints on a disk, are in node.ts.
//
//   const backend = await createBackend()
//   const values = newModelValues(config, 0.02, seed)
//   const trainable = trainWhole(backend, config, ({ name }) => ({ value: values.get(name)! }))
//   const mixture = new Mixture([{ name: "texts", store: recordsInMemory(records) }], seed)
//   const batches = new Batches(mixture, { rows: 1024, context: 256, divides: true })
//   const trainer = new Trainer({ backend, trainable, method: nextToken(tokenBytes(tokenizer)), batchesAt: () => batches, ... })
//   for (let i = 0; i < 1000; i++) console.log((await trainer.advance()).loss)
export { Mixture, type MixtureCursor, type MixtureSource } from "../data/mixture.js"
export { type RecordStore, recordsInMemory, type TokenRecord, type TokenSequence } from "../data/record.js"
export { type AdapterForm, type AdapterTarget, adapterTargets } from "../adapters/index.js"
export { chatRecord, conversationTokens, preferenceRecord, type RenderOptions } from "./chat-records.js"
export { distill, type DistillOptions } from "./methods/distill.js"
export type { Loss, Method, Pass } from "./methods/method.js"
export { nextToken } from "./methods/next-token.js"
export { preference, type PreferenceOptions } from "./methods/preference.js"
export { reward } from "./methods/reward.js"
export { buildInductionHeads } from "./induction-heads.js"
export { type ModelValues, newModelValues, readModelValues } from "./model-values.js"
export type { OptimizerOptions } from "./optimizer.js"
export { type BatchCursor, Batches, packAll, type PackedBatch, type PackingOptions } from "./packing.js"
export type { Parameter, ParameterValues, TrainingBackend } from "./parameters.js"
export { learningRateFactor, type Schedule } from "./schedule.js"
export { documentRecords, tokenBytes } from "./text-records.js"
export { newFactor, trainAdapter } from "./train-adapter.js"
export { tensorForms, type TensorForm, type Trainable, trainWhole } from "./trainable.js"
export { type Measurement, type StepReport, Trainer, type TrainerOptions } from "./trainer.js"
