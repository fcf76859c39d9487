// The line of a training run: step, loss, speed, remaining time. On a terminal it rewrites itself, elsewhere a line now
// and then. Knows nothing of the training.
import type { StepProgress } from "../train/run-events.js"
import { clip, count, duration, rate } from "./format.js"
import type { Screen } from "./terminal.js"

/** How long is shown between two lines where there is no terminal, in ms. */
const plainInterval = 10_000
const frameTime = 100
/** Weight of the newest step in the running means. */
const newest = 0.05

export class TrainingLine {
  readonly #screen: Screen
  readonly #now: () => number
  #shown = false
  #drawnAt = Number.NEGATIVE_INFINITY
  #loss: number | undefined
  #rowsPerSecond: number | undefined
  #secondsPerStep: number | undefined

  constructor(screen: Screen, now: () => number = () => performance.now()) {
    this.#screen = screen
    this.#now = now
  }

  step({ step, steps, loss, learningRate, rows, seconds, epoch }: StepProgress): void {
    const mean = (before: number | undefined, value: number) =>
      before === undefined ? value : before + newest * (value - before)
    this.#loss = mean(this.#loss, loss)
    this.#rowsPerSecond = mean(this.#rowsPerSecond, rows / seconds)
    this.#secondsPerStep = mean(this.#secondsPerStep, seconds)
    const time = this.#now()
    const interval = this.#screen.isTerminal ? frameTime : plainInterval
    if (time - this.#drawnAt < interval && step < steps) return
    this.#drawnAt = time
    const left = (steps - step) * this.#secondsPerStep
    const parts = [
      `step ${count(step)} of ${count(steps)}`,
      `loss ${this.#loss.toFixed(4)}`,
      `${rate(this.#rowsPerSecond)} tokens/s`,
      ...(step < steps ? [`${duration(left)} left`] : []),
      `epoch ${epoch.toFixed(2)}`,
      `rate ${learningRate.toExponential(1)}`,
    ]
    if (!this.#screen.isTerminal) return this.#screen.write(`${parts.join("  ")}\n`)
    this.#screen.write(`\r${clip(parts.join("  "), this.#screen.columns - 1)}\u001b[K`)
    this.#shown = true
  }

  /** A line that stays. */
  say(text: string): void {
    this.end()
    this.#screen.write(`${text}\n`)
  }

  /** Removes the line. May be called twice. */
  end(): void {
    if (this.#shown) this.#screen.write("\r\u001b[K")
    this.#shown = false
  }
}
