// Constants that energy figures rest on, each with its source, and the arithmetic from power to emissions.

/** Mass of greenhouse gases for each kWh of electricity, and where the figure is from. */
export interface EmissionFactor {
  readonly kilogramsPerKilowattHour: number
  readonly source: string
}

/** The mean of the world's grids, for where nobody says which grid it is. */
export const worldGrid: EmissionFactor = {
  kilogramsPerKilowattHour: 0.473,
  source: "world average of 2024, Ember, Global Electricity Review 2025",
}

/** Energy and emissions of a computation. */
export interface Footprint {
  /** Electricity of the devices times the power usage effectiveness. */
  readonly kilowattHours: number
  /** By the grid that the machine hangs on. */
  readonly locationBasedKilograms: number
  /** By the contract under which the electricity is bought. */
  readonly marketBasedKilograms: number
}

/** `kWh = device kWh * PUE`, `kg = kWh * factor` (GHG Protocol Scope 2 Guidance: both ways are to be reported). */
export function footprint(
  deviceKilowattHours: number,
  usageEffectiveness: number,
  location: EmissionFactor,
  market: EmissionFactor,
): Footprint {
  const kilowattHours = deviceKilowattHours * usageEffectiveness
  return {
    kilowattHours,
    locationBasedKilograms: kilowattHours * location.kilogramsPerKilowattHour,
    marketBasedKilograms: kilowattHours * market.kilogramsPerKilowattHour,
  }
}

/** A model whose maker has published hours, power and emissions. */
export interface PublishedTraining {
  readonly model: string
  readonly acceleratorHours: number
  readonly watts: number
  /** Tonnes of CO2eq, location-based and market-based, as published. */
  readonly published: { readonly location: number; readonly market: number }
}

/** Figures of the model card of Llama 3.2 (text models), and what they do not say. */
export const llama32: {
  readonly models: readonly PublishedTraining[]
  readonly usageEffectiveness: number
  readonly usageEffectivenessSource: string
  readonly location: EmissionFactor
  readonly market: EmissionFactor
} = {
  models: [
    { model: "Llama 3.2 1B", acceleratorHours: 370_000, watts: 700, published: { location: 107, market: 0 } },
    { model: "Llama 3.2 3B", acceleratorHours: 460_000, watts: 700, published: { location: 133, market: 0 } },
  ],
  usageEffectiveness: 1.08,
  usageEffectivenessSource:
    "assumed: mean of Meta's data centres in 2023, as its environmental data report it",
  location: {
    kilogramsPerKilowattHour: 0.383,
    source:
      "assumed: with a PUE of 1.08 the two published figures allow 0.3811 to 0.3838; the US grid had 0.384 in 2024 (Ember)",
  },
  market: {
    kilogramsPerKilowattHour: 0,
    source: "as published: all electricity is matched with renewable energy",
  },
}
