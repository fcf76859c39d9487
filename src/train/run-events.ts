// What a run says of itself while it goes on.
import type { StepReport } from "./trainer.js"

export interface RunHooks {
  readonly signal?: AbortSignal
  /** What takes time before the first step. */
  readonly onPrepare?: (what: string, done: number, total: number | undefined) => void
  /** Once, before the first step. */
  readonly onStart?: (plan: RunPlan) => void
  readonly onStep?: (progress: StepProgress) => void
  readonly onMeasure?: (line: MeasureLine) => void
  /** A checkpoint, or the final model, has been written. */
  readonly onSaved?: (path: string) => void
  readonly onNotice?: (text: string) => void
}

/** What a run is about to do. */
export interface RunPlan {
  readonly method: string
  readonly parameters: number
  readonly trained: number
  readonly backend: string
  readonly steps: number
  /** Steps that an earlier part of the run has done. */
  readonly done: number
  /** Tokens to learn from, once through. */
  readonly tokens: number
  readonly sources: readonly { readonly name: string; readonly tokens: number; readonly share: number }[]
}

export interface StepProgress extends StepReport {
  readonly steps: number
  /** Rows that went through the model so far, and seconds, over all parts of the run. */
  readonly totalRows: number
  readonly totalSeconds: number
  /** How often the data have been read. */
  readonly epoch: number
}

/** Mean losses on held-out data. */
export interface MeasureLine {
  readonly step: number
  /** Over all sources, by what the loss counts. */
  readonly validation: number
  /** By source: the loss, and what else the method measures. */
  readonly sources: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface RunResult {
  /** Whether the run has come to its end; else it was asked to stop and can go on. */
  readonly finished: boolean
  readonly step: number
  /** Folder of the model, or of the checkpoint to go on from. */
  readonly path: string
}
