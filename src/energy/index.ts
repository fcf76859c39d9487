// What a computation has taken: hours, electricity, emissions.
export {
  type EmissionFactor,
  type Footprint,
  footprint,
  llama32,
  type PublishedTraining,
  worldGrid,
} from "./factors.js"
export {
  energyFile,
  EnergyMeter,
  type EnergyOptions,
  energyOfHours,
  type EnergyReport,
  energyReportSchema,
  readEnergy,
  writeEnergy,
} from "./meter.js"
export { type EnergyCounter, openNvml, openRapl } from "./power.js"
