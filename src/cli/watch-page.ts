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

function take(line: Line): void {
  if (line.validation !== undefined && line.loss === undefined) {
    const at = steps.lastIndexOf(line.step)
    if (at >= 0) columns.validation[at] = line.validation
    return
  }
  if (line.loss === undefined) return
  const before = columns.smooth.at(-1)
  steps.push(line.step)
  columns.loss.push(line.loss)
  columns.smooth.push(before == null ? line.loss : before + 0.05 * (line.loss - before))
  columns.validation.push(null)
  columns.rate.push(line.learningRate ?? null)
  columns.norm.push(line.gradientNorm ?? null)
  const seconds = (line.seconds ?? 0) - (last?.seconds ?? 0)
  columns.speed.push(seconds > 0 ? ((line.rows ?? 0) - (last?.rows ?? 0)) / seconds : null)
  last = line
}

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
    width: 520,
    height: 300,
    scales: { x: { time: false } },
    axes: [
      { stroke: "#888", label: "step" },
      { stroke: "#888", size: 70 },
    ],
    series: [{ label: "step" }, ...series],
  }
  charts.push({
    chart: new uPlot(options, [[], ...names.map(() => [])], document.querySelector("#charts")!),
    names,
  })
}

draw(
  "Loss",
  ["loss", "smooth", "validation"],
  ["step", "mean", "held out"],
  ["#8ab4f866", "#4285f4", "#ea4335"],
)
draw("Learning rate", ["rate"], ["rate"], ["#34a853"])
draw("Norm of the gradient", ["norm"], ["norm"], ["#fbbc05"])
draw("Tokens a second", ["speed"], ["tokens/s"], ["#a142f4"])

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
