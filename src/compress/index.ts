// Making models smaller.
export { type CalibrationOptions, calibrationTexts } from "./calibration.js"
export { type Importance, measureImportance } from "./importance.js"
export { checkTarget, type ColumnNorms, planPruning, type PrunePlan, type PruneTarget } from "./plan.js"
export { columnNorms, writePruned, type WritePrunedOptions } from "./prune.js"
