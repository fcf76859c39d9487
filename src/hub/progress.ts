// Counts what a pull has done and tells its caller, not more often than a reader can see. Knows no files and no
// network, only numbers it is given.

/** Where a file of a pull stands. */
export type PullState =
  | "cached" // it was on this disk already
  | "waiting" // another pull works on it
  | "checking" // bytes of an earlier pull are hashed
  | "downloading"
  | "retrying" // the connection was cut or the server is busy
  | "verified" // whole, its checksum matches, under its final name

/** A report of a running pull; all counts are bytes. */
export interface PullProgress {
  readonly file: string
  readonly loaded: number
  readonly total: number
  readonly overallLoaded: number
  readonly overallTotal: number
  /** Received from the network, averaged over the last five seconds. */
  readonly bytesPerSecond: number
  readonly state: PullState
}

const reportEvery = 100
const averageOver = 5000

/** Collects the progress of all files of a pull. */
export class ProgressReport {
  readonly #onProgress: ((progress: PullProgress) => void) | undefined
  readonly #overallTotal: number
  #overallLoaded = 0
  #received = 0
  #lastReport = 0
  #samples: { time: number; received: number }[] = []

  constructor(overallTotal: number, onProgress?: (progress: PullProgress) => void) {
    this.#overallTotal = overallTotal
    this.#onProgress = onProgress
  }

  /** Bytes that came over the network. */
  get received(): number {
    return this.#received
  }

  /** A recorder for one file. */
  file(path: string, total: number): FileProgress {
    let loaded = 0
    let state: PullState | undefined
    return {
      set: (next, bytes, fromNetwork = 0) => {
        this.#overallLoaded += bytes - loaded
        this.#received += fromNetwork
        loaded = bytes
        const now = performance.now()
        if (next === state && now - this.#lastReport < reportEvery) return
        state = next
        this.#lastReport = now
        this.#onProgress?.({
          file: path,
          loaded,
          total,
          overallLoaded: this.#overallLoaded,
          overallTotal: this.#overallTotal,
          bytesPerSecond: this.#rate(now),
          state,
        })
      },
    }
  }

  #rate(now: number): number {
    this.#samples.push({ time: now, received: this.#received })
    while (this.#samples.length > 2 && now - this.#samples[0].time > averageOver) this.#samples.shift()
    const first = this.#samples[0]
    return now > first.time ? Math.round(((this.#received - first.received) * 1000) / (now - first.time)) : 0
  }
}

/** Tells how far one file is; `fromNetwork` counts bytes just received. */
export interface FileProgress {
  set(state: PullState, loaded: number, fromNetwork?: number): void
}
