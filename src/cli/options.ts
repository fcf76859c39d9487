// The flags that commands share: their help texts, the check of their values, and what they become for the engine.
import { type Command, InvalidArgumentError, Option } from "commander"
import type { GenerateOptions } from "../engine/options.js"
import { type WeightKind, weightKinds } from "../weights/kind.js"
import { UsageError } from "./failure.js"

interface Range {
  readonly min?: number
  readonly max?: number
  readonly whole?: boolean
  /** `min` itself is refused. */
  readonly above?: boolean
}

/** Parses a number of the command line; the message of a refusal says what is expected. */
export function numberIn(range: Range): (text: string) => number {
  const { min, max, whole = false, above = false } = range
  const bounds =
    min !== undefined && max !== undefined
      ? ` from ${min} to ${max}`
      : min !== undefined
        ? ` of at least ${min}`
        : max !== undefined
          ? ` of at most ${max}`
          : ""
  const expected = `Expected a ${whole ? "whole number" : "number"}${bounds}${above ? `, ${min} excluded` : ""}.`
  return (text) => {
    const plain = text.trim().replace(/^(\d{1,3})(_\d{3})+$/, (digits) => digits.replaceAll("_", ""))
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : Number.NaN
    const fits =
      Number.isFinite(value) &&
      (!whole || Number.isSafeInteger(value)) &&
      (min === undefined || (above ? value > min : value >= min)) &&
      (max === undefined || value <= max)
    if (!fits) throw new InvalidArgumentError(expected)
    return value
  }
}

/** Parses `64,512` into whole numbers. */
export function numbersIn(range: Range, most = 16): (text: string) => number[] {
  const one = numberIn({ ...range, whole: true })
  return (text) => {
    const parts = text.split(",").filter((part) => part.trim() !== "")
    if (parts.length === 0 || parts.length > most)
      throw new InvalidArgumentError(`Expected 1 to ${most} whole numbers separated by commas.`)
    return parts.map(one)
  }
}

/** Collects the values of an option that may be repeated. */
export const repeated = (value: string, earlier: string[] | undefined): string[] => [
  ...(earlier ?? []),
  value,
]

const weightChoices = ["auto", ...weightKinds] as const

/** What says which model runs, and on what. */
export interface ModelFlags {
  readonly model: string
  readonly backend: "auto" | "native" | "wasm" | "reference"
  readonly threads?: number
  readonly contextLength?: number
  readonly weights: "auto" | WeightKind
  readonly adapter?: string
  readonly packedCache: boolean
  readonly verbose?: boolean
}

export const addModelFlags = (command: Command): Command =>
  addEngineFlags(command.addOption(modelOption()).addOption(adapterOption()))

/** What the engine is told, whichever model it loads. */
export function addEngineFlags(command: Command): Command {
  return command
    .addOption(backendOption())
    .addOption(threadsOption())
    .addOption(contextOption())
    .addOption(
      new Option("--weights <kind>", "kind of weight in memory; auto keeps the file's")
        .choices(weightChoices)
        .default("auto"),
    )
    .addOption(new Option("--no-packed-cache", "do not keep packed weights on disk for a faster next start"))
    .addOption(verboseOption())
}

export const backendOption = (): Option =>
  new Option("--backend <name>", "what computes")
    .choices(["auto", "native", "wasm", "reference"])
    .default("auto")

/** How texts lie in files. */
export const separatorOption = (): Option =>
  new Option(
    "--separator <line>",
    'the line between documents of .txt files; "" makes every line one',
  ).default("<|doc|>")

export const fieldOption = (): Option =>
  new Option("--field <name>", "the field of .jsonl files that holds the text").default("text")

export const modelOption = (): Option =>
  new Option(
    "-m, --model <source>",
    "a folder, a file, a hub id such as owner/name[@revision][:Q4_0], or default",
  ).default("default")

const adapterOption = (): Option =>
  new Option("--adapter <folder>", "a low-rank adapter for the model, as cria train or PEFT writes it")

const threadsOption = (): Option =>
  new Option("--threads <number>", "threads that compute (default: the machine's)").argParser(
    numberIn({ min: 1, max: 1024, whole: true }),
  )

export const contextOption = (): Option =>
  new Option(
    "--context-length <tokens>",
    "longest context to make room for (default: the model's, as memory allows)",
  ).argParser(numberIn({ min: 1, max: 2 ** 31 - 1, whole: true }))

export const verboseOption = (): Option =>
  new Option("--verbose", "say more on standard error, and show where errors come from")

/** How tokens are chosen. */
export interface SamplingFlags {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly seed?: number
  readonly maxTokens?: number
  readonly stop?: string[]
}

export function addSamplingFlags(command: Command): Command {
  for (const name of samplingNames) {
    const { flags, text, range } = samplingOptions[name]
    command.addOption(new Option(flags, text).argParser(numberIn(range)))
  }
  return command.addOption(
    new Option("--stop <text>", "end the answer before this text; may be repeated").argParser(repeated),
  )
}

/** The sampling options that take a number; `/set` of the chat knows the same ones. */
export const samplingNames = ["temperature", "topK", "topP", "minP", "seed", "maxTokens"] as const
export type SamplingName = (typeof samplingNames)[number]

export const samplingOptions: Readonly<Record<SamplingName, { flags: string; text: string; range: Range }>> =
  {
    temperature: {
      flags: "--temperature <number>",
      text: "0 takes the likeliest token (default: the model's, else 0.6)",
      range: { min: 0, max: 100 },
    },
    topK: {
      flags: "--top-k <number>",
      text: "keep the k likeliest tokens; 0 keeps all (default: 0)",
      range: { min: 0, max: 2 ** 31 - 1, whole: true },
    },
    topP: {
      flags: "--top-p <number>",
      text: "keep the likeliest tokens up to this probability (default: the model's, else 0.9)",
      range: { min: 0, max: 1, above: true },
    },
    minP: {
      flags: "--min-p <number>",
      text: "drop tokens less likely than this times the likeliest (default: 0)",
      range: { min: 0, max: 1 },
    },
    seed: {
      flags: "--seed <number>",
      text: "same seed, same text (default: random)",
      range: { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
    },
    maxTokens: {
      flags: "--max-tokens <number>",
      text: "most tokens to generate (default: until the context is full)",
      range: { min: 0, max: 2 ** 31 - 1, whole: true },
    },
  }

/** The flags as the engine takes them; what was not given is left to the model. */
export function samplingOf(flags: SamplingFlags): GenerateOptions {
  if (flags.stop?.some((text) => text === "")) throw new UsageError("--stop needs a text that is not empty")
  const options: GenerateOptions = {}
  for (const name of samplingNames) {
    if (flags[name] !== undefined) options[name] = flags[name]
  }
  if (flags.stop !== undefined) options.stop = flags.stop
  return options
}

/** The prompt of the words after the command or of --prompt; undefined where neither is given. */
export function promptOf(words: readonly string[], flag: string | undefined): string | undefined {
  if (words.length > 0 && flag !== undefined)
    throw new UsageError("the prompt is given twice: as words and with --prompt; leave one out")
  return words.length > 0 ? words.join(" ") : flag
}
