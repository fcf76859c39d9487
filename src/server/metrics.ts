// Counters, gauges and histograms in Prometheus' text format (exposition format 0.0.4). Written here because
// prom-client needs Node's modules, and this handler also runs where there are none.

type Labels = Readonly<Record<string, string>>

interface Family {
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  /** Values by label text. */
  readonly samples: Map<string, number>
  readonly histograms: Map<string, Histogram>
}

interface Histogram {
  readonly labels: Labels
  /** Of each bucket alone; the last one has no upper bound. */
  readonly counts: number[]
  sum: number
}

/** Upper bounds of the histograms of seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export class Metrics {
  readonly #families = new Map<string, Family>()

  /** Adds to a counter. */
  add(name: string, help: string, value: number, labels: Labels = {}): void {
    const { samples } = this.#family(name, "counter", help)
    const key = labelText(labels)
    samples.set(key, (samples.get(key) ?? 0) + value)
  }

  set(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#family(name, "gauge", help).samples.set(labelText(labels), value)
  }

  /** A counter that is kept elsewhere. */
  setCounter(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#family(name, "counter", help).samples.set(labelText(labels), value)
  }

  /** Puts a number of seconds into a histogram. */
  observe(name: string, help: string, seconds: number, labels: Labels = {}): void {
    const { histograms } = this.#family(name, "histogram", help)
    const key = labelText(labels)
    let histogram = histograms.get(key)
    if (!histogram) histograms.set(key, (histogram = { labels, counts: [...bounds.map(() => 0), 0], sum: 0 }))
    const bucket = bounds.findIndex((bound) => seconds <= bound)
    histogram.counts[bucket < 0 ? bounds.length : bucket]++
    histogram.sum += seconds
  }

  /** Forgets a family, so that what no longer exists is not reported. */
  clear(name: string): void {
    this.#families.delete(name)
  }

  text(): string {
    const lines: string[] = []
    for (const [name, { type, help, samples, histograms }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
      for (const [key, value] of samples) lines.push(`${name}${key} ${value}`)
      for (const [key, { labels, counts, sum }] of histograms) {
        let count = 0
        for (const [i, bound] of [...bounds, "+Inf"].entries()) {
          count += counts[i]
          lines.push(`${name}_bucket${labelText({ ...labels, le: String(bound) })} ${count}`)
        }
        lines.push(`${name}_sum${key} ${sum}`, `${name}_count${key} ${count}`)
      }
    }
    return `${lines.join("\n")}\n`
  }

  #family(name: string, type: Family["type"], help: string): Family {
    let family = this.#families.get(name)
    if (!family)
      this.#families.set(name, (family = { type, help, samples: new Map(), histograms: new Map() }))
    return family
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  )
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}
