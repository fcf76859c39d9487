// The published energy figures of Llama 3.2, worked out again from their hours and power.
import { footprint, llama32 } from "../energy/index.js"
import { figure } from "./card.js"

/** A table of what was published and what follows from the stated assumptions, as Markdown. */
export function publishedLlama32(): string {
  const { models, usageEffectiveness, usageEffectivenessSource, location, market } = llama32
  const rows = models.map(({ model, acceleratorHours, watts, published }) => {
    const devices = (acceleratorHours * watts) / 1000
    const found = footprint(devices, usageEffectiveness, location, market)
    const tonnes = (kilograms: number) => `${Math.round(kilograms / 1000)} t`
    return `| ${[
      model,
      figure(acceleratorHours),
      `${watts} W`,
      `${figure(found.kilowattHours / 1000)} MWh`,
      tonnes(found.locationBasedKilograms),
      `${published.location} t`,
      tonnes(found.marketBasedKilograms),
      `${published.market} t`,
    ].join(" | ")} |`
  })
  return `# Energy and emissions of Llama 3.2 (text models)

| Model | GPU hours | Power | Electricity | CO2eq, location-based | published | CO2eq, market-based | published |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join("\n")}

- Hours, power and emissions are those of Meta's model card. It does not publish the two factors between them.
- Power usage effectiveness ${usageEffectiveness}: ${usageEffectivenessSource}.
- Location-based factor ${location.kilogramsPerKilowattHour} kg/kWh: ${location.source}.
- Market-based factor ${market.kilogramsPerKilowattHour} kg/kWh: ${market.source}.
- Electricity is hours times power times power usage effectiveness; emissions are electricity times factor.
`
}
