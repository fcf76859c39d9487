// Models on this disk and on a hub: find, pull, list, remove. Node only.
export { defaultModel, embeddedModel } from "./default-model.js"
export { type FindOptions, closestNames, findModel, listModels, suggestModels } from "./find.js"
export { type ModelFolders, huggingFaceCache, modelFolders } from "./folders.js"
export type { LocalModel, ModelList, ModelSource } from "./local-model.js"
export { type ModelId, formatModelId, parseModelId } from "./model-id.js"
export { type PulledModel, type PullOptions, pullModel } from "./pull.js"
export type { PullProgress, PullState } from "./progress.js"
export { type RemovedModel, type RemoveOptions, removeModel } from "./remove.js"
