// Shows that something long goes on: how far it is, how fast, how long still. On a terminal lines that
// rewrite and clean up after themselves; elsewhere a plain line now and then. Knows nothing of the work.
import { bytes, clip, count, duration, rate, width } from "./format.js"
import type { Screen } from "./terminal.js"

/** How far something is; `total` is undefined where nobody knows. */
export interface Amount {
  readonly label: string
  readonly done: number
  readonly total: number | undefined
}

export interface Progress {
  /**
   * `label` names what is being done. `speed` is the amount a second where the caller measures it himself, else it
   * is taken from the updates of the last seconds. `parts` get a line each above it, on terminals.
   */
  update(label: string, done: number, total: number | undefined, more?: Details): void
  /** Removes the lines. May be called twice. */
  end(): void
}

export interface Details {
  readonly speed?: number
  readonly parts?: readonly Amount[]
}

export interface ProgressOptions {
  /** What is counted. Default "bytes". */
  readonly unit?: string
  /** Silence before the first line, in ms: what is quick shows nothing. Default 500. */
  readonly after?: number
  /** Time in ms, for tests. */
  readonly now?: () => number
}

const frameTime = 100
const lineTime = 10_000
const window = 5000
/** Silence after which a rate that the caller measured counts as nought, in ms. */
const staleTime = 2000

export function startProgress(screen: Screen, options: ProgressOptions = {}): Progress {
  const { unit = "bytes", after = 500, now = () => performance.now() } = options
  const start = now()
  const samples: { at: number; done: number }[] = []
  let shownAt = Number.NEGATIVE_INFINITY
  let latest: (Amount & Details & { readonly at: number }) | undefined
  let shownLines = 0
  let ended = false

  const speedNow = (time: number) => {
    if (latest?.speed === undefined) return speedOf(samples, time)
    return time - latest.at > staleTime ? 0 : latest.speed
  }
  /** Back to the start of the first line that is shown. */
  const back = () => (shownLines > 1 ? `\r\u001b[${shownLines - 1}A` : "\r")
  const draw = () => {
    const time = now()
    if (ended || !latest || time - start < after) return
    const { label, done, total, parts = [] } = latest
    if (screen.isTerminal) {
      if (time - shownAt < frameTime) return
      const labels = [...parts.map((part) => part.label), label]
      const column = Math.min(Math.max(...labels.map(width)), Math.max(12, screen.columns - 72))
      const fit = (text: string) => (parts.length === 0 ? text : padded(clip(text, column), column))
      const lines = [
        ...parts.map((part) => progressLine(screen, fit(part.label), part.done, part.total, undefined, unit)),
        progressLine(screen, fit(label), done, total, speedNow(time), unit),
      ]
      screen.write(`${back()}${lines.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`)
      shownLines = lines.length
    } else {
      if (time - Math.max(shownAt, start) < lineTime) return
      screen.write(`${plainLine(label, done, total, speedNow(time), unit)}\n`)
    }
    shownAt = time
  }
  // Redrawn without news as well, so that a stalled transfer shows a falling rate instead of the last good one.
  const timer = setInterval(draw, screen.isTerminal ? 250 : 1000)
  timer.unref()

  return {
    update(label, done, total, more) {
      const time = now()
      if (latest && done < latest.done) samples.length = 0
      latest = { label, done, total, ...more, at: time }
      const last = samples.at(-1)
      if (!last || time - last.at >= frameTime) samples.push({ at: time, done })
      else last.done = Math.max(last.done, done)
      while (samples.length > 2 && time - samples[0].at > window) samples.shift()
      draw()
    },
    end() {
      if (ended) return
      ended = true
      clearInterval(timer)
      if (shownLines > 0) screen.write(`${back()}\u001b[J`)
    },
  }
}

const padded = (text: string, columns: number): string => text + " ".repeat(columns - width(text))

/** Amount a second over the last few seconds; undefined before there is enough to tell. */
function speedOf(samples: readonly { at: number; done: number }[], time: number): number | undefined {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || time - first.at < 300) return undefined
  return ((last.done - first.done) / (time - first.at)) * 1000
}

function amounts(done: number, total: number | undefined, speed: number | undefined, unit: string): string[] {
  const show = unit === "bytes" ? bytes : count
  const suffix = unit === "bytes" ? "" : ` ${unit}`
  const parts = [total === undefined ? `${show(done)}${suffix}` : `${show(done)} of ${show(total)}${suffix}`]
  if (speed !== undefined && done > 0) parts.push(unit === "bytes" ? `${bytes(speed)}/s` : `${rate(speed)}/s`)
  if (speed !== undefined && speed > 0 && total !== undefined && total > done)
    parts.push(`${duration((total - done) / speed)} left`)
  return parts
}

/** `label ███████░░░░ 45%  1.1 GB of 2.5 GB  52 MB/s  27 s left`, never wider than the terminal. */
export function progressLine(
  screen: Pick<Screen, "columns" | "paint">,
  label: string,
  done: number,
  total: number | undefined,
  speed: number | undefined,
  unit: string,
): string {
  const fraction = total === undefined || total <= 0 ? undefined : Math.min(1, done / total)
  const percent = fraction === undefined ? "" : `${Math.floor(fraction * 100)}%`.padStart(4)
  const parts = amounts(done, total, speed, unit)
  const room = screen.columns - 1
  while (parts.length > 0 && width([percent, ...parts].join("  ")) + 12 > room) parts.pop()
  const tail = [percent, ...parts].filter((part) => part !== "").join("  ")
  const barWidth =
    fraction === undefined
      ? 0
      : Math.max(0, Math.min(screen.columns < 110 ? 16 : 24, room - width(tail) - 16))
  const space = Math.max(0, room - width(tail) - barWidth - 2)
  const name = padded(clip(label.trimEnd(), space), Math.min(width(label), space))
  const filled = Math.round((fraction ?? 0) * barWidth)
  const bar = screen.paint("cyan", "█".repeat(filled)) + screen.paint("dim", "░".repeat(barWidth - filled))
  return [name, `${bar}${tail}`].filter((part) => part !== "").join(" ")
}

function plainLine(
  label: string,
  done: number,
  total: number | undefined,
  speed: number | undefined,
  unit: string,
) {
  const percent = total ? `${Math.floor((100 * Math.min(done, total)) / total)}%, ` : ""
  return `${label}: ${percent}${amounts(done, total, speed, unit).join(", ")}`
}
