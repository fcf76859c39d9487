import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { parse } from "yaml"
import type { EnergyReport } from "../energy/index.js"
import { InvalidFileError } from "../errors/index.js"
import { aboutFrom, tablesFrom } from "./about.js"
import { type CardFacts, figure, modelCard } from "./card.js"
import { publishedLlama32 } from "./published.js"
import { readStages, type Stage, writeStages } from "./stages.js"

const factor = { kilogramsPerKilowattHour: 0.473, source: "a grid" }
const energy = (hours: number): EnergyReport => ({
  version: 1,
  hours,
  processorHours: 2 * hours,
  acceleratorHours: 0,
  deviceKilowattHours: 0.01 * hours,
  kilowattHours: 0.01 * hours,
  locationBasedKilograms: 0.00473 * hours,
  marketBasedKilograms: 0,
  usageEffectiveness: 1,
  location: factor,
  market: { kilogramsPerKilowattHour: 0, source: "a contract" },
  methods: ["estimated: by a test"],
  processors: ["A processor"],
})
const stages: Stage[] = [
  {
    method: "pretrain",
    ended: "2026-11-26T07:00:00.000Z",
    parameters: 8_000_000,
    trained: 8_000_000,
    steps: 1000,
    tokens: 16_384_000,
    settings: { learningRate: 0.001, shape: "cosine" },
    data: [{ name: "en", tokens: 3_000_000, share: 0.25 }],
    after: { en: { loss: 3.25, bitsPerByte: 1.51 } },
    energy: energy(1),
  },
  {
    method: "sft",
    ended: "2026-11-26T07:30:00.000Z",
    parameters: 8_000_000,
    settings: {},
    data: [],
    before: { chat: { loss: 4 } },
    after: { chat: { loss: 2 } },
    energy: energy(3),
  },
]
const facts: CardFacts = {
  name: "small",
  config: {
    width: 256,
    layers: 8,
    queryHeads: 8,
    kvHeads: 2,
    headWidth: 32,
    feedForwardWidth: 768,
    vocabularySize: 8192,
    normEpsilon: 1e-5,
    contextLength: 1024,
    tiedEmbeddings: true,
    ropeTheta: 10_000,
    ropeScaling: undefined,
    bos: 0,
    stopTokens: [1],
  },
  parameters: 8_000_000,
  weights: { f32: 32_000_000 },
  stages,
  about: aboutFrom(undefined, "about.yaml"),
  evaluation: [],
}

/** The front matter as values. */
const frontMatter = (card: string) => parse(card.split("---\n")[1]) as Record<string, unknown>

test("the card sums the stages up and keeps what they say", () => {
  const card = modelCard(facts)
  expect(card).toContain("| 1. pretrain | 2026-11-26 | 8,000,000 | 8,000,000 | 1,000 | 16,384,000 |")
  expect(card).toContain("1. pretrain: learningRate 0.001, shape cosine")
  expect(card).toContain("| 1. pretrain | en | 3,000,000 | 25 % |")
  expect(card).toContain("| **All stages** | 4 | 8 | 0 | 0.04 | 0.0189 | 0 |")
  expect(card).toContain("0.473 kg/kWh (a grid)")
  expect(card).toContain("| 1. pretrain | en | bitsPerByte |  | 1.51 |")
  expect(card).toContain("| 2. sft | chat | loss | 4 | 2 |")
  expect(frontMatter(card).co2_eq_emissions).toMatchObject({ emissions: 18.92, hardware_used: "A processor" })
})

test("what nobody has said is said to be unknown, and nothing is made up", () => {
  const card = modelCard({ ...facts, stages: [] })
  for (const line of [
    "Not stated by its maker.",
    "Not recorded.",
    "Not measured.",
    "Not evaluated.",
    "Not stated: without a licence",
  ])
    expect(card).toContain(line)
  expect(frontMatter(card).co2_eq_emissions).toBeUndefined()
})

test("the words of the maker stand in their sections, and cannot break the page", () => {
  const about = aboutFrom(
    {
      name: "Tiny",
      description: "A demonstration.",
      languages: ["en", "hi", "th"],
      licence: 'mit"\nlicense: gpl',
      licenceLink: "https://example.org",
      intendedUse: ["Trying things."],
      isNot: ["Not an assistant."],
      data: [{ name: "A | B\nC", licence: "CC0", amount: "3 MB" }],
      evaluation: [{ title: "Tasks", columns: ["kind", "score"], rows: [["rewrite", 0.51234]] }],
    },
    "about.yaml",
  )
  const card = modelCard({ ...facts, about })
  expect(card).toContain("# Tiny\n\nA demonstration.")
  expect(card).toContain("English (en), Hindi (hi), Thai (th)")
  expect(card).toContain("| A \\| B C | CC0 |  | 3 MB |  |")
  expect(card).toContain("## What this is not\n\n- Not an assistant.")
  expect(card).toContain("### Tasks\n\n| kind | score |\n| --- | --- |\n| rewrite | 0.512 |")
  expect(frontMatter(card)).toMatchObject({ language: ["en", "hi", "th"], license: 'mit"\nlicense: gpl' })
})

test("files with other fields are refused by name", () => {
  expect(() => aboutFrom({ lizence: "x" }, "about.yaml")).toThrow(/about\.yaml: .*lizence/)
  expect(() => aboutFrom({ languages: ["english!"] }, "about.yaml")).toThrow(/languages\.0/)
  expect(() => aboutFrom([], "about.yaml")).toThrow(InvalidFileError)
  expect(() => tablesFrom({ tables: [{ title: "x", columns: [], rows: [] }] }, "e.json")).toThrow(/e\.json/)
})

test("stages come back as they were written; damage is refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-card-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  expect(await readStages(folder)).toEqual([])
  await writeStages(folder, stages)
  expect(await readStages(folder)).toEqual(stages)
  await writeFile(join(folder, "training.json"), '{"version":1,"stages":[{}]}')
  await expect(readStages(folder)).rejects.toThrow(InvalidFileError)
})

test("the published figures of Llama 3.2 come out of the assumptions", () => {
  const page = publishedLlama32()
  expect(page).toContain("| Llama 3.2 1B | 370,000 | 700 W | 280 MWh | 107 t | 107 t | 0 t | 0 t |")
  expect(page).toContain("| Llama 3.2 3B | 460,000 | 700 W | 348 MWh | 133 t | 133 t | 0 t | 0 t |")
})

test("figures have three digits that matter", () => {
  expect([0, 1234567, 1234.5, 0.012345, 1.5, 0.00001].map(figure)).toEqual([
    "0",
    "1,234,567",
    "1,235",
    "0.0123",
    "1.5",
    "1.00e-5",
  ])
})
