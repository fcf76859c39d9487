import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, expect, test } from "vitest"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { footprint, llama32 } from "./factors.js"
import { EnergyMeter, readEnergy, writeEnergy } from "./meter.js"
import { openNvml, openRapl } from "./power.js"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-energy-"))
  return () => rm(folder, { recursive: true })
})

async function domain(
  root: string,
  id: string,
  name: string,
  microjoules: number,
): Promise<(now: number) => Promise<void>> {
  const path = join(root, id)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, "name"), `${name}\n`)
  await writeFile(join(path, "max_energy_range_uj"), "1000000000\n")
  const set = (now: number) => writeFile(join(path, "energy_uj"), `${now}\n`)
  await set(microjoules)
  return set
}

test("processor counters are summed over packages and memory, also where they start again", async () => {
  const root = join(folder, "powercap")
  const first = await domain(root, "intel-rapl:0", "package-0", 5_000_000)
  const second = await domain(root, "intel-rapl:1", "package-1", 999_000_000)
  const memory = await domain(root, "intel-rapl:0:0", "dram", 1)
  const core = await domain(root, "intel-rapl:0:1", "core", 1) // part of its package
  const counter = (await openRapl(root))!
  expect(counter.description).toBe("RAPL (package-0, dram, package-1)")
  expect(counter.devices).toBe(2)
  expect(await counter.read()).toBe(0)
  await Promise.all([first(7_000_000), second(1_000_000), memory(500_001), core(900_000)])
  expect(await counter.read()).toBeCloseTo(2 + 2 + 0.5, 9)
  await first(8_000_000)
  expect(await counter.read()).toBeCloseTo(5.5, 9)
  counter.close()
})

test("without counters there are none", async () => {
  expect(await openRapl(join(folder, "nowhere"))).toBeUndefined()
})

test("the power of accelerators is summed over time", async () => {
  const command = join(folder, "nvidia-smi")
  await writeFile(command, "#!/bin/sh\necho 300.00\necho 100.00\n")
  await chmod(command, 0o755)
  const counter = await openNvml(command)
  expect(counter.devices).toBe(2)
  const start = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const joules = await counter.read()
  const seconds = (performance.now() - start) / 1000
  expect(joules).toBeLessThanOrEqual(400 * seconds + 40)
  expect(joules).toBeGreaterThanOrEqual(400 * 0.19)
  counter.close()
  await expect(openNvml(join(folder, "no-such-program"))).rejects.toThrow(UnsupportedError)
})

/** Keeps this thread at work. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

test("a meter counts work, goes on from a report, and applies the factors", async () => {
  const location = { kilogramsPerKilowattHour: 0.5, source: "a test" }
  const market = { kilogramsPerKilowattHour: 0.1, source: "a test" }
  const options = { processorWatts: 1000, usageEffectiveness: 1.2, location, market }
  const meter = await EnergyMeter.start(options)
  work(120)
  const first = await meter.report()
  meter.stop()
  expect(first.hours).toBeGreaterThanOrEqual(0.12 / 3600)
  expect(first.processorHours).toBeGreaterThan(0)
  expect(first.deviceKilowattHours).toBeGreaterThan(0)
  expect(first.kilowattHours).toBeCloseTo(1.2 * first.deviceKilowattHours, 15)
  expect(first.locationBasedKilograms).toBeCloseTo(0.5 * first.kilowattHours, 15)
  expect(first.marketBasedKilograms).toBeCloseTo(0.1 * first.kilowattHours, 15)
  expect(first.methods).toHaveLength(1)

  await writeEnergy(folder, first)
  const before = await readEnergy(folder)
  expect(before).toEqual(first)
  const second = await EnergyMeter.start({ ...options, usageEffectiveness: 2 }, before)
  work(30)
  const both = await second.report()
  second.stop()
  expect(both.hours).toBeGreaterThanOrEqual(first.hours + 0.03 / 3600)
  expect(both.processorHours).toBeGreaterThan(first.processorHours)
  const own = both.deviceKilowattHours - first.deviceKilowattHours
  expect(both.kilowattHours).toBeCloseTo(first.kilowattHours + 2 * own, 15)
})

test("a damaged report is refused, a missing one is none", async () => {
  const own = join(folder, "own")
  await mkdir(own)
  expect(await readEnergy(own)).toBeUndefined()
  for (const content of ["{", "{}", '{"version":1,"hours":-1}']) {
    await writeFile(join(own, "energy.json"), content)
    await expect(readEnergy(own)).rejects.toThrow(InvalidFileError)
  }
})

test("the published emissions of Llama 3.2 follow from hours, power and the stated assumptions", () => {
  const { usageEffectiveness, location, market } = llama32
  for (const { acceleratorHours, watts, published } of llama32.models) {
    const kilowattHours = (acceleratorHours * watts) / 1000
    const { locationBasedKilograms, marketBasedKilograms } = footprint(
      kilowattHours,
      usageEffectiveness,
      location,
      market,
    )
    expect(Math.round(locationBasedKilograms / 1000)).toBe(published.location)
    expect(Math.round(marketBasedKilograms / 1000)).toBe(published.market)
  }
  expect(llama32.models.map(({ published }) => published.location)).toEqual([107, 133])
})

test("both published figures allow the range of factors that is stated", () => {
  const fits = (factor: number) =>
    llama32.models.every(
      ({ acceleratorHours, watts, published }) =>
        Math.round((acceleratorHours * watts * llama32.usageEffectiveness * factor) / 1e6) ===
        published.location,
    )
  expect([0.381, 0.3811, 0.383, 0.3838, 0.3839].map(fits)).toEqual([false, true, true, true, false])
})
