// Hours, energy and emissions of a computation, summed up over all parts of a run (Node only). Where no counter can be read
// the processor time of this process is multiplied with a stated power.
import { readFile } from "node:fs/promises"
import { cpus } from "node:os"
import { join } from "node:path"
import * as z from "zod"
import { InvalidFileError } from "../errors/index.js"
import { writeFileAtomically } from "../formats/write-file.js"
import { type EmissionFactor, type Footprint, footprint, worldGrid } from "./factors.js"
import { type EnergyCounter, openNvml, openRapl } from "./power.js"

/** The name of the file beside every checkpoint. */
export const energyFile = "energy.json"

export interface EnergyOptions {
  /** Design power of the whole processor in watts, where its counters cannot be read. */
  readonly processorWatts?: number
  /** Count NVIDIA's accelerators too. Default false. */
  readonly accelerators?: boolean
  /** Energy of the site for each unit of the devices. Default 1: no data centre around. */
  readonly usageEffectiveness?: number
  /** The grid's factor. Default: the world average. */
  readonly location?: EmissionFactor
  /** The factor of the contract. Default: that of the grid, as for electricity of no stated origin. */
  readonly market?: EmissionFactor
}

const factorSchema = z.object({ kilogramsPerKilowattHour: z.number().nonnegative(), source: z.string() })
export const energyReportSchema = z.object({
  version: z.literal(1),
  /** Hours by the clock, while the meter ran. */
  hours: z.number().nonnegative(),
  /** Processor hours of this process: two threads at work for an hour are two. */
  processorHours: z.number().nonnegative(),
  /** Hours of accelerators that were counted. */
  acceleratorHours: z.number().nonnegative(),
  /** Electricity of the devices. */
  deviceKilowattHours: z.number().nonnegative(),
  /** Electricity of the site: times the usage effectiveness. */
  kilowattHours: z.number().nonnegative(),
  locationBasedKilograms: z.number().nonnegative(),
  marketBasedKilograms: z.number().nonnegative(),
  usageEffectiveness: z.number().min(1),
  location: factorSchema,
  market: factorSchema,
  /** How the electricity became known, one line for each way that parts of the run took. */
  methods: z.array(z.string()),
  processors: z.array(z.string()),
})
/** What is written beside a checkpoint. Masses are kg of CO2 equivalents. */
export type EnergyReport = z.infer<typeof energyReportSchema>

/** Power of one busy hardware thread where nothing is stated: what desktop processors of 125 W and 24 threads are made for. */
const assumedThreadWatts = 5

type Sums = Pick<EnergyReport, "hours" | "processorHours" | "acceleratorHours" | "deviceKilowattHours">

export class EnergyMeter {
  readonly #options: EnergyOptions
  readonly #before: EnergyReport | undefined
  readonly #rapl: EnergyCounter | undefined
  readonly #nvml: EnergyCounter | undefined
  readonly #start = performance.now()
  readonly #processorStart = process.cpuUsage()

  private constructor(
    options: EnergyOptions,
    before: EnergyReport | undefined,
    rapl: EnergyCounter | undefined,
    nvml: EnergyCounter | undefined,
  ) {
    this.#options = options
    this.#before = before
    this.#rapl = rapl
    this.#nvml = nvml
  }

  /**
   * Starts to count. `before` is what earlier parts of the same run have taken, see `readEnergy`. UnsupportedError where
   * accelerators are to be counted and cannot be.
   */
  static async start(options: EnergyOptions = {}, before?: EnergyReport): Promise<EnergyMeter> {
    const nvml = options.accelerators ? await openNvml() : undefined
    return new EnergyMeter(options, before, await openRapl(), nvml)
  }

  /** Everything so far, earlier parts included. */
  async report(): Promise<EnergyReport> {
    const { sums, methods } = await this.#sums()
    const own = reportOf(sums, methods, this.#options)
    const before = this.#before
    if (before === undefined) return own
    const total = (name: keyof Sums | keyof Footprint) => own[name] + before[name]
    return {
      ...own,
      hours: total("hours"),
      processorHours: total("processorHours"),
      acceleratorHours: total("acceleratorHours"),
      deviceKilowattHours: total("deviceKilowattHours"),
      // Earlier parts keep the factors that they had.
      kilowattHours: total("kilowattHours"),
      locationBasedKilograms: total("locationBasedKilograms"),
      marketBasedKilograms: total("marketBasedKilograms"),
      methods: [...new Set([...before.methods, ...own.methods])],
      processors: [...new Set([...before.processors, ...own.processors])],
    }
  }

  /** Ends the sampling; `report` must not be called afterwards. */
  stop(): void {
    this.#rapl?.close()
    this.#nvml?.close()
  }

  async #sums(): Promise<{ sums: Sums; methods: string[] }> {
    const hours = (performance.now() - this.#start) / 3_600_000
    const { user, system } = process.cpuUsage(this.#processorStart)
    const processorHours = (user + system) / 3.6e9
    const methods: string[] = []
    let joules = 0
    if (this.#rapl) {
      joules += await this.#rapl.read()
      methods.push(`measured: ${this.#rapl.description}, other programs on the machine included`)
    } else {
      const { watts, basis } = threadPower(this.#options)
      joules += processorHours * 3600 * watts
      methods.push(`estimated: processor time times ${basis}`)
    }
    if (this.#nvml) {
      joules += await this.#nvml.read()
      methods.push(`measured: ${this.#nvml.description}`)
    }
    const acceleratorHours = this.#nvml ? hours * this.#nvml.devices : 0
    return { sums: { hours, processorHours, acceleratorHours, deviceKilowattHours: joules / 3.6e6 }, methods }
  }
}

/** Power of one busy hardware thread, in watts, and what that rests on. */
function threadPower({ processorWatts }: EnergyOptions): { watts: number; basis: string } {
  const threads = cpus().length
  if (processorWatts === undefined)
    return {
      watts: assumedThreadWatts,
      basis: `${assumedThreadWatts} W a hardware thread, an assumption; the counters of the processor cannot be read here`,
    }
  const watts = processorWatts / threads
  return {
    watts,
    basis: `${processorWatts} W, the stated power of the processor, for its ${threads} hardware threads`,
  }
}

/** A report of hours that no meter has watched, with all of the threads at work. */
export function energyOfHours(hours: number, threads: number, options: EnergyOptions = {}): EnergyReport {
  const { watts, basis } = threadPower(options)
  const processorHours = hours * threads
  const sums = {
    hours,
    processorHours,
    acceleratorHours: 0,
    deviceKilowattHours: (processorHours * watts) / 1000,
  }
  return reportOf(sums, [`estimated: hours by the clock times ${threads} threads times ${basis}`], options)
}

function reportOf(sums: Sums, methods: string[], options: EnergyOptions): EnergyReport {
  const { usageEffectiveness = 1, location = worldGrid, market = location } = options
  return {
    version: 1,
    ...sums,
    ...footprint(sums.deviceKilowattHours, usageEffectiveness, location, market),
    usageEffectiveness,
    location,
    market,
    methods,
    processors: [processorName()],
  }
}

const processorName = (): string => cpus()[0]?.model.trim() || "unknown processor"

/** The report in a folder, undefined where there is none. InvalidFileError for a damaged one. */
export async function readEnergy(folder: string): Promise<EnergyReport | undefined> {
  const path = join(folder, energyFile)
  const content = await readFile(path, "utf8").catch(() => undefined)
  if (content === undefined) return undefined
  try {
    return energyReportSchema.parse(JSON.parse(content))
  } catch (error) {
    throw new InvalidFileError(`${path} is no energy report of Cria's: remove it to count from nought`, {
      cause: error,
    })
  }
}

export const writeEnergy = (folder: string, report: EnergyReport): Promise<void> =>
  writeFileAtomically(join(folder, energyFile), `${JSON.stringify(report, undefined, 2)}\n`)
