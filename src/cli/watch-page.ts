// The page of `cria train --watch`, run by the browser: asks for new lines of the log and draws them with uPlot, which the
// page has loaded before.
import type UPlot from "uplot"

declare const uPlot: typeof UPlot

interface Line {
  readonly step: number
  readonly loss?: number
  readonly learningRate?: number
  readonly gradientNorm?: number
  readonly rows?: number
  readonly seconds?: number
  readonly validation?: number
}

const steps: number[] = []
const columns = { loss: [], smooth: [], validation: [], rate: [], norm: [], speed: [] } as Record<
  "loss" | "smooth" | "validation" | "rate" | "norm" | "speed",
  (number | null)[]
>
let last: Line | undefined

/** A mean that forgets slowly; the first values count as much as if it had always run. */
class RunningMean {
  readonly #keep = 0.95
  #sum = 0
  #weight = 0

  add(value: number): number {
    this.#sum = this.#keep * this.#sum + value
    this.#weight = this.#keep * this.#weight + 1
    return this.#sum / this.#weight
  }
}

const meanLoss = new RunningMean()
const meanSpeed = new RunningMean()

function take(line: Line): void {
  if (line.validation !== undefined && line.loss === undefined) {
    if (steps.at(-1) !== line.step) push(line.step)
    columns.validation[steps.length - 1] = line.validation
    return
  }
  if (line.loss === undefined) return
  push(line.step)
  const at = steps.length - 1
  columns.loss[at] = line.loss
  columns.smooth[at] = meanLoss.add(line.loss)
  columns.rate[at] = line.learningRate ?? null
  columns.norm[at] = line.gradientNorm ?? null
  const seconds = (line.seconds ?? 0) - (last?.seconds ?? 0)
  if (seconds > 0) columns.speed[at] = meanSpeed.add(((line.rows ?? 0) - (last?.rows ?? 0)) / seconds)
  last = line
}

function push(step: number): void {
  steps.push(step)
  for (const column of Object.values(columns)) column.push(null)
}

const main = document.querySelector<HTMLElement>("#charts")!

/** As wide as a column of the page. */
const sizeOf = () => {
  const columnWidth = Number.parseFloat(getComputedStyle(main).gridTemplateColumns)
  return { width: Math.floor(columnWidth), height: 280 }
}

const short = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : value.toLocaleString("en")

const charts: { readonly chart: UPlot; readonly names: readonly (keyof typeof columns)[] }[] = []

function draw(
  title: string,
  names: readonly (keyof typeof columns)[],
  labels: readonly string[],
  colours: readonly string[],
): void {
  const series: UPlot.Series[] = names.map((name, i) => ({
    label: labels[i],
    stroke: colours[i],
    width: name === "loss" ? 1 : 2,
    spanGaps: name === "validation",
    points: { show: name === "validation" },
  }))
  const options: UPlot.Options = {
    title,
    ...sizeOf(),
    scales: { x: { time: false } },
    axes: [
      { stroke: "#888", grid: { stroke: "#8883" } },
      { stroke: "#888", grid: { stroke: "#8883" }, size: 64, values: (_, marks) => marks.map(short) },
    ],
    series: [{ label: "step" }, ...series],
  }
  charts.push({
    chart: new uPlot(options, [[], ...names.map(() => [])], main),
    names,
  })
}

draw(
  "Loss",
  ["loss", "smooth", "validation"],
  ["of each step", "mean", "held out"],
  ["#8ab4f866", "#4285f4", "#ea4335"],
)
draw("Learning rate", ["rate"], ["rate"], ["#34a853"])
draw("Norm of the gradient", ["norm"], ["norm"], ["#fbbc05"])
draw("Tokens a second", ["speed"], ["tokens/s"], ["#a142f4"])

addEventListener("resize", () => {
  for (const { chart } of charts) chart.setSize(sizeOf())
})

let next = 0

async function poll(): Promise<void> {
  const answer = (await (await fetch(`/metrics?from=${next}`)).json()) as { lines: string; next: number }
  if (answer.next < next) location.reload() // the log begins anew: the run went on from an earlier checkpoint
  next = answer.next
  if (answer.lines === "") return
  for (const line of answer.lines.trim().split("\n")) take(JSON.parse(line) as Line)
  for (const { chart, names } of charts) chart.setData([steps, ...names.map((name) => columns[name])])
  const speed = columns.speed.at(-1)
  document.querySelector("#state")!.textContent =
    `Step ${last?.step ?? 0}, loss ${columns.smooth.at(-1)?.toFixed(4) ?? "?"}, ${speed == null ? "?" : Math.round(speed)} tokens/s`
}

async function run(): Promise<void> {
  for (;;) {
    try {
      await poll()
    } catch {
      document.querySelector("#state")!.textContent = "The run has ended or does not answer."
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

void run()
