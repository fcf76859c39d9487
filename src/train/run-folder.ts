// The folder of a run (Node only): checkpoints that are whole or absent, the log of metrics, the final model.
import { mkdir, open, readdir, readFile, stat, truncate } from "node:fs/promises"
import { join } from "node:path"
import * as z from "zod"
import { CriaError, InvalidFileError, StorageFullError } from "../errors/index.js"
import { fileSource } from "../formats/file-source.js"
import { openSafetensors } from "../formats/safetensors.js"
import { writeFileAtomically } from "../formats/write-file.js"
import { publishFolder, removeFolder, sweepFolder } from "../formats/write-folder.js"
import { readTensor } from "./model-values.js"
import { writeTensors } from "./model-folder.js"
import type { Parameter, ParameterValues } from "./parameters.js"

const stateSchema = z.object({
  version: z.literal(1),
  step: z.number().int().positive(),
  /** Rows that went through the model so far, and seconds that took, over all parts of the run. */
  rows: z.number().nonnegative(),
  seconds: z.number().nonnegative(),
  seed: z.number(),
  /** Where each stream of data stands. */
  cursors: z.array(z.unknown()),
})

/** What a checkpoint keeps beside the tensors. Random numbers are keyed by seed and step, so these are their state. */
export type TrainerState = z.infer<typeof stateSchema>

export interface SavedCheckpoint {
  readonly path: string
  readonly state: TrainerState
}

const stepName = /^step-(\d{8})$/

export class RunFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  get checkpoints(): string {
    return join(this.path, "checkpoints")
  }

  get metrics(): string {
    return join(this.path, "metrics.jsonl")
  }

  /** Where the model stands when the run has ended. */
  get model(): string {
    return join(this.path, "model")
  }

  /** Makes the folder and removes what an interrupted write has left. */
  async prepare(): Promise<void> {
    await mkdir(this.checkpoints, { recursive: true })
    await sweepFolder(this.path)
    await sweepFolder(this.checkpoints)
  }

  /** Paths of the checkpoints, oldest first. */
  async list(): Promise<string[]> {
    const names = await readdir(this.checkpoints).catch(() => [])
    return names
      .filter((name) => stepName.test(name))
      .toSorted()
      .map((name) => join(this.checkpoints, name))
  }

  /** The last checkpoint; InvalidFileError where it cannot be read. */
  async latest(): Promise<SavedCheckpoint | undefined> {
    const path = (await this.list()).at(-1)
    if (path === undefined) return undefined
    const state = await readState(path)
    return { path, state }
  }

  /**
   * Writes a checkpoint: the model as an ordinary folder, and beside it optimizer.safetensors and trainer.json. Removes
   * the oldest ones beyond `keep`. StorageFullError where the disk is full; the checkpoints before stay.
   */
  async save(
    state: TrainerState,
    parameters: readonly Parameter[],
    writeModel: (folder: string) => Promise<void>,
    read: (tensor: Parameter["value"]) => Promise<Float32Array>,
    keep: number,
  ): Promise<string> {
    const path = join(this.checkpoints, `step-${String(state.step).padStart(8, "0")}`)
    const moments = parameters.flatMap(({ name, shape, m, v }) => [
      { name: `m.${name}`, shape, read: () => read(m) },
      { name: `v.${name}`, shape, read: () => read(v) },
    ])
    await this.#publish(path, async (folder) => {
      await writeModel(folder)
      await writeTensors(join(folder, "optimizer.safetensors"), moments, "f32")
      await writeFileAtomically(join(folder, "trainer.json"), `${JSON.stringify(state, undefined, 2)}\n`)
    })
    const all = await this.list()
    for (const old of all.slice(0, Math.max(0, all.length - keep))) await removeFolder(old)
    return path
  }

  /** Writes the final model in the place of an earlier one. */
  saveModel(writeModel: (folder: string) => Promise<void>): Promise<void> {
    return this.#publish(this.model, writeModel)
  }

  async #publish(path: string, write: (folder: string) => Promise<void>): Promise<void> {
    try {
      await publishFolder(path, write)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      const last = (await this.list()).at(-1)
      throw new StorageFullError(
        `the disk is full: ${path} could not be written. ` +
          (last === undefined
            ? "There is no checkpoint yet: make room and start again"
            : `${last} is whole: make room, then go on with --resume`),
        { cause: error },
      )
    }
  }

  /** Adds lines to the log. */
  async log(lines: readonly object[]): Promise<void> {
    const handle = await open(this.metrics, "a")
    try {
      await handle.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    } finally {
      await handle.close()
    }
  }

  /** Takes away the lines of steps after `step`, and a last line that was cut off: those steps are made again. */
  async rewind(step: number): Promise<void> {
    const text = await readFile(this.metrics, "utf8").catch(() => "")
    let end = 0
    for (let next = text.indexOf("\n"); next >= 0; next = text.indexOf("\n", end)) {
      if (stepOf(text.slice(end, next)) > step) break
      end = next + 1
    }
    if (end < text.length) await truncate(this.metrics, Buffer.byteLength(text.slice(0, end)))
  }
}

function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { step?: unknown }
    return typeof step === "number" ? step : Infinity
  } catch {
    return Infinity
  }
}

function isDiskFull(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof CriaError && at.code === "disk_full") return true
    if ("code" in at && (at.code === "ENOSPC" || at.code === "EDQUOT")) return true
  }
  return false
}

async function readState(path: string): Promise<TrainerState> {
  const advice = "delete this folder to go on from the one before it"
  const file = join(path, "trainer.json")
  if (!(await stat(file).catch(() => undefined))) throw new InvalidFileError(`${file} is missing: ${advice}`)
  try {
    return stateSchema.parse(JSON.parse(await readFile(file, "utf8")))
  } catch (error) {
    throw new InvalidFileError(`${file} is damaged: ${advice}`, { cause: error })
  }
}

/** The moments that a checkpoint keeps, by parameter. */
export interface SavedMoments {
  of(name: string): Promise<Omit<ParameterValues, "value">>
  close(): Promise<void>
}

export async function openMoments(path: string): Promise<SavedMoments> {
  const file = await openSafetensors(await fileSource(join(path, "optimizer.safetensors")))
  return {
    of: async (name) => ({ m: await readTensor(file, `m.${name}`), v: await readTensor(file, `v.${name}`) }),
    close: () => file.close(),
  }
}
