// What the processor and accelerators take, in joules: from their own counters where this process may read them (Node
// only). Knows nothing of emissions.
import { execFile } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { UnsupportedError } from "../errors/index.js"

/** Joules since it was opened. */
export interface EnergyCounter {
  /** What is counted, for people. */
  readonly description: string
  readonly devices: number
  read(): Promise<number>
  close(): void
}

/**
 * RAPL through Linux's powercap: every processor package and its memory; the whole of them, other processes included.
 * `undefined` where there are no counters or this user may not read them (most systems reserve them to root).
 */
export async function openRapl(root = "/sys/class/powercap"): Promise<EnergyCounter | undefined> {
  const names = await readdir(root).catch(() => [])
  const domains: { path: string; name: string; range: number; last: number }[] = []
  for (const name of names.filter((name) => /^intel-rapl:\d+(:\d+)?$/.test(name)).toSorted()) {
    const path = join(root, name)
    const kind = await text(join(path, "name"))
    if (!kind?.startsWith("package-") && kind !== "dram") continue
    const last = Number(await text(join(path, "energy_uj")))
    const range = Number(await text(join(path, "max_energy_range_uj")))
    if (last > 0 && range > 0) domains.push({ path, name: kind, range, last })
  }
  if (domains.length === 0) return undefined
  let joules = 0
  const read = oneAtATime(async () => {
    for (const domain of domains) {
      const now = Number(await text(join(domain.path, "energy_uj")))
      if (!Number.isFinite(now)) continue
      // The counter starts again at nought when it is full.
      joules += (now >= domain.last ? now - domain.last : now + domain.range - domain.last) / 1e6
      domain.last = now
    }
    return joules
  })
  // At 300 W a counter of 65 kJ is full after 3.6 minutes.
  const timer = setInterval(() => void read(), 60_000)
  timer.unref()
  return {
    description: `RAPL (${domains.map(({ name }) => name).join(", ")})`,
    devices: domains.filter(({ name }) => name !== "dram").length,
    read,
    close: () => clearInterval(timer),
  }
}

/** The same reading for all who ask while one is under way: no interval is counted twice. */
function oneAtATime(read: () => Promise<number>): () => Promise<number> {
  let reading: Promise<number> | undefined
  return () => {
    reading ??= read().finally(() => (reading = undefined))
    return reading
  }
}

const text = async (path: string): Promise<string | undefined> => {
  try {
    return (await readFile(path, "utf8")).trim()
  } catch {
    return undefined
  }
}

const run = promisify(execFile)
const sampleTime = 5000

/**
 * NVIDIA's accelerators through NVML, as nvidia-smi tells it: the power of all devices every five seconds, summed up.
 * UnsupportedError where there is no nvidia-smi, or no device that tells its power.
 */
export async function openNvml(command = "nvidia-smi"): Promise<EnergyCounter> {
  const watts = async (): Promise<number[]> => {
    const { stdout } = await run(command, ["--query-gpu=power.draw", "--format=csv,noheader,nounits"], {
      timeout: 4000,
    })
    return stdout.split("\n").map(Number.parseFloat).filter(Number.isFinite)
  }
  const first = await watts().catch((error: unknown) => {
    throw new UnsupportedError(`the power of the accelerator cannot be read: ${command} did not run`, {
      cause: error,
    })
  })
  if (first.length === 0) throw new UnsupportedError("no accelerator tells its power (nvidia-smi shows none)")
  let power = sum(first)
  let joules = 0
  let at = performance.now()
  const read = oneAtATime(async () => {
    // A sample that fails leaves the power as it was.
    const now = sum(await watts().catch(() => [power]))
    const time = performance.now()
    joules += ((power + now) / 2) * ((time - at) / 1000)
    power = now
    at = time
    return joules
  })
  const timer = setInterval(() => void read(), sampleTime)
  timer.unref()
  return {
    devices: first.length,
    description: `NVML (${first.length} device${first.length === 1 ? "" : "s"})`,
    read,
    close: () => clearInterval(timer),
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
