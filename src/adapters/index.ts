// Low-rank adapters of a model: their operations, their names, their files.
export {
  merged,
  withAdapter,
  withRowAdapters,
  type AdaptedRows,
  type Adapter,
  type LowRank,
} from "./low-rank.js"
export { bindAdapter } from "./bind.js"
export {
  adapterConfig,
  adapterConfigName,
  adapterTensorsName,
  readAdapter,
  type AdapterFactors,
  type AdapterForm,
} from "./peft.js"
export { type AdapterTarget, adapterTargets, factorName, targetShape, targetWeight } from "./targets.js"
