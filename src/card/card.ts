// The model card as Markdown with the front matter that Hugging Face reads (Mitchell et al. 2019, "Model Cards for Model
// Reporting"). Pure: everything comes as values.
import type { EnergyReport } from "../energy/index.js"
import type { ModelConfig } from "../model/config.js"
import type { About, EvaluationTable } from "./about.js"
import type { Stage } from "./stages.js"

/** Marks a README that may be written anew. */
export const cardMark = "<!-- Written by `cria card`; changes are lost when it runs again. -->"

export interface CardFacts {
  /** Name where `about` gives none. */
  readonly name: string
  readonly config: ModelConfig
  readonly parameters: number
  /** Kinds of weight in the file with their bytes. */
  readonly weights: Readonly<Record<string, number>>
  readonly stages: readonly Stage[]
  readonly about: About
  /** Tables beside those of `about`. */
  readonly evaluation: readonly EvaluationTable[]
}

export function modelCard(facts: CardFacts): string {
  const { about, stages } = facts
  const sections = [
    frontMatter(facts),
    cardMark,
    `# ${about.name ?? facts.name}`,
    about.description ?? "A language model of the Llama 3.2 architecture.",
    section("What this is not", bullets(about.isNot.length > 0 ? about.isNot : defaultIsNot)),
    section("Model", modelTable(facts)),
    section(
      "Intended use",
      bullets(about.intendedUse.length > 0 ? about.intendedUse : ["Not stated by its maker."]),
    ),
    section(
      "Out-of-scope use",
      bullets(about.outOfScopeUse.length > 0 ? about.outOfScopeUse : defaultOutOfScope),
    ),
    section(
      "Languages",
      about.languages.length > 0 ? about.languages.map(languageName).join(", ") : "Not stated.",
    ),
    section("Data", dataSection(about, stages)),
    section("Training", trainingSection(stages)),
    section("Energy and emissions", energySection(stages)),
    section("Evaluation", evaluationSection(about, stages, facts.evaluation)),
    section("Limits", bullets(about.limits.length > 0 ? about.limits : defaultLimits)),
    section("Licence", licenceLine(about)),
    about.contact === undefined ? undefined : section("Contact", about.contact),
  ]
  return `${sections.filter((part) => part !== undefined).join("\n\n")}\n`
}

const defaultIsNot = [
  "Not a source of facts: what it says may be wrong, and sounds the same when it is.",
  "Not safe by itself: whoever deploys it is to add the safeguards that the use asks for.",
]
const defaultOutOfScope = [
  "Decisions about people: law, medicine, credit, work, safety.",
  "Anything that the law or the acceptable use policy of the model's licence forbids.",
  "Languages other than those named below.",
]
const defaultLimits = [
  "It repeats the biases of its texts.",
  "It has been evaluated as far as this page says, and no further.",
]

const section = (title: string, body: string): string => `## ${title}\n\n${body}`
const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n")

/** Text in a cell: neither ends the cell nor the line. */
const cell = (value: string | number | null | undefined): string =>
  value == null
    ? ""
    : typeof value === "number"
      ? figure(value)
      : value.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ")

function table(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`
  return [
    line(columns.map(cell)),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((_, i) => cell(row[i])))),
  ].join("\n")
}

/** A number for people: whole ones with thousands apart, others with three digits that matter. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US")
  return Math.abs(value) < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(3)))
}

/** A text as YAML: JSON's strings are YAML's. */
const quoted = (text: string): string => JSON.stringify(text)

function frontMatter({ about, stages }: CardFacts): string {
  const lines = ["---"]
  if (about.languages.length > 0)
    lines.push("language:", ...about.languages.map((code) => `  - ${quoted(code)}`))
  if (about.licence !== undefined) lines.push(`license: ${quoted(about.licence)}`)
  if (about.licenceLink !== undefined) lines.push(`license_link: ${quoted(about.licenceLink)}`)
  lines.push("pipeline_tag: text-generation", "tags:", "  - llama", "  - cria")
  const energies = energiesOf(stages)
  if (energies.length > 0) {
    const grams = 1000 * total(energies, "locationBasedKilograms")
    const hardware = [...new Set(energies.flatMap(({ processors }) => processors))].join(", ")
    lines.push(
      "co2_eq_emissions:",
      `  emissions: ${Number(grams.toPrecision(4))}`,
      '  source: "cria energy meter, location-based"',
    )
    lines.push(`  hardware_used: ${quoted(hardware)}`)
  }
  return [...lines, "---"].join("\n")
}

function modelTable({ config, parameters, weights }: CardFacts): string {
  return table(
    ["", ""],
    [
      ["Architecture", "Llama 3.2, decoder-only transformer with grouped-query attention"],
      ["Parameters", parameters],
      ["Layers", config.layers],
      ["Width", config.width],
      ["Heads", `${config.queryHeads} query, ${config.kvHeads} key-value, of ${config.headWidth}`],
      ["Feed-forward", config.feedForwardWidth],
      ["Vocabulary", config.vocabularySize],
      ["Context", `${figure(config.contextLength)} tokens`],
      ["Embedding and output", config.tiedEmbeddings ? "shared" : "separate"],
      [
        "Weights",
        Object.entries(weights)
          .map(([kind, bytes]) => `${kind}: ${figure(bytes)} bytes`)
          .join(", "),
      ],
    ],
  )
}

function languageName(code: string): string {
  const name = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(code)
  return name === undefined ? code : `${name} (${code})`
}

function dataSection({ data }: About, stages: readonly Stage[]): string {
  const parts: string[] = []
  if (data.length > 0)
    parts.push(
      table(
        ["Data", "Licence", "Source", "Amount", "Used for"],
        data.map(({ name, licence, source, amount, used }) => [name, licence, source, amount, used]),
      ),
    )
  else parts.push("Where the texts come from and under which licences is not stated.")
  const read = stages.flatMap(({ method, data: sources }, i) =>
    sources.map(({ name, tokens, share }) => [
      `${i + 1}. ${method}`,
      name,
      tokens,
      share === undefined ? "" : `${figure(100 * share)} %`,
    ]),
  )
  if (read.length > 0)
    parts.push("What each stage read:", table(["Stage", "Source", "Tokens", "Share of what was read"], read))
  return parts.join("\n\n")
}

function trainingSection(stages: readonly Stage[]): string {
  if (stages.length === 0) return "Not recorded."
  const overview = table(
    ["Stage", "Ended", "Parameters", "Trained", "Steps", "Tokens"],
    stages.map((stage, i) => [
      `${i + 1}. ${stage.method}`,
      stage.ended.slice(0, 10),
      stage.parameters,
      stage.trained,
      stage.steps,
      stage.tokens,
    ]),
  )
  const settings = stages.map((stage, i) => {
    const entries = Object.entries(stage.settings).map(
      ([name, value]) => `${name} ${typeof value === "number" ? plain(value) : String(value)}`,
    )
    return `${i + 1}. ${stage.method}: ${entries.length > 0 ? entries.join(", ") : "nothing recorded"}`
  })
  return `${overview}\n\nSettings:\n\n${settings.join("\n")}`
}

/** A setting exactly as it was given. */
const plain = (value: number): string => String(value)

const energiesOf = (stages: readonly Stage[]): EnergyReport[] =>
  stages.flatMap(({ energy }) => (energy === undefined ? [] : [energy]))

type Sum =
  | "hours"
  | "processorHours"
  | "acceleratorHours"
  | "kilowattHours"
  | "locationBasedKilograms"
  | "marketBasedKilograms"
const total = (energies: readonly EnergyReport[], name: Sum): number =>
  energies.reduce((sum, energy) => sum + energy[name], 0)

function energySection(stages: readonly Stage[]): string {
  const energies = energiesOf(stages)
  if (energies.length === 0) return "Not measured."
  const columns: [string, Sum][] = [
    ["Hours", "hours"],
    ["Processor hours", "processorHours"],
    ["Accelerator hours", "acceleratorHours"],
    ["kWh", "kilowattHours"],
    ["kg CO2eq, location-based", "locationBasedKilograms"],
    ["kg CO2eq, market-based", "marketBasedKilograms"],
  ]
  const rows = stages.flatMap(({ method, energy }, i) =>
    energy === undefined ? [] : [[`${i + 1}. ${method}`, ...columns.map(([, name]) => energy[name])]],
  )
  const sums = ["**All stages**", ...columns.map(([, name]) => total(energies, name))]
  const unique = (lines: readonly string[]) => [...new Set(lines)]
  const factor = ({ kilogramsPerKilowattHour, source }: EnergyReport["location"]) =>
    `${kilogramsPerKilowattHour} kg/kWh (${source})`
  const missing = stages.length - energies.length
  return [
    table(["Stage", ...columns.map(([title]) => title)], [...rows, sums]),
    bullets([
      ...unique(energies.flatMap(({ methods }) => methods)).map((method) => `Electricity, ${method}.`),
      `Power usage effectiveness: ${unique(energies.map((energy) => String(energy.usageEffectiveness))).join("; ")}.`,
      `Location-based factor: ${unique(energies.map(({ location }) => factor(location))).join("; ")}.`,
      `Market-based factor: ${unique(energies.map(({ market }) => factor(market))).join("; ")}.`,
      `Processor: ${unique(energies.flatMap(({ processors }) => processors)).join("; ")}.`,
      ...(missing > 0 ? [`${missing} of ${stages.length} stages were not measured.`] : []),
      "Runs that did not lead to this model, and the making of the machine, are not in these figures.",
    ]),
  ].join("\n\n")
}

function evaluationSection(about: About, stages: readonly Stage[], more: readonly EvaluationTable[]): string {
  const tables = [...about.evaluation, ...more].map(
    ({ title, note, columns, rows }) =>
      `### ${title}\n\n${note === undefined ? "" : `${note}\n\n`}${table(columns, rows)}`,
  )
  const measured = stages.flatMap(({ method, before, after }, i) =>
    Object.entries(after ?? {}).flatMap(([source, values]) =>
      Object.entries(values).map(([measure, value]) => [
        `${i + 1}. ${method}`,
        source,
        measure,
        before?.[source]?.[measure],
        value,
      ]),
    ),
  )
  if (measured.length > 0)
    tables.push(
      `### On held-out parts of the training data\n\n${table(["Stage", "Source", "Measure", "Before", "After"], measured)}`,
    )
  return tables.length > 0 ? tables.join("\n\n") : "Not evaluated."
}

function licenceLine({ licence, licenceLink }: About): string {
  if (licence === undefined) return "Not stated: without a licence nobody but its maker may use it."
  return licenceLink === undefined ? licence : `[${licence}](${licenceLink})`
}
