// cria info: what a model is and what it takes, without loading it; without a model, what this machine can run.
import { stat } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import type { Command } from "commander"
import type { TensorEntry } from "../formats/tensor-file.js"
import type { Context } from "./context.js"
import type { ModelFacts } from "./describe-model.js"
import { bytes, count, oneLine, parameters, table } from "./format.js"
import { openSource } from "./model-source.js"
import { addModelFlags, type ModelFlags } from "./options.js"

interface Flags extends ModelFlags {
  readonly tensors?: boolean
  readonly json?: boolean
}

export function addInfo(program: Command, context: Context): void {
  const command = program
    .command("info")
    .summary("what a model is and the memory it takes; what this machine can run")
    .description(
      "Says what a model file or folder holds and the memory it will take, without loading it. Without a model: what this machine can run.",
    )
    .argument("[model]", "a folder, a file or a hub id that is on this disk")
    .option("--tensors", "list every tensor")
    .option("--json", "print one JSON object")
  addModelFlags(command)
  command
    .addHelpText(
      "after",
      `
Examples:
  $ cria info
  $ cria info ./llama-3.2-1b.gguf --context-length 16384
  $ cria info meta-llama/Llama-3.2-1B-Instruct --weights int4
  $ cria info ./llama-3.2-1b --tensors`,
    )
    .action((model: string | undefined, flags: Flags) => {
      const named = model ?? (command.getOptionValueSource("model") === "default" ? undefined : flags.model)
      return named === undefined ? machineInfo(context, flags) : modelInfo(context, named, flags)
    })
}

async function modelInfo(context: Context, name: string, flags: Flags): Promise<void> {
  const { out } = context
  const checkpoint = await openSource(context, name)
  const { describeModel } = await import("./describe-model.js")
  const facts = await describeModel(checkpoint, flags.weights, flags.contextLength)
  const { packedFilesOf } = await import("../hub/index.js")
  const packed = await packedFilesOf(checkpoint.path)
  const tensors = [...checkpoint.tensors.tensors.values()]
  if (flags.json) {
    const list = tensors.map((one) => ({
      name: one.name,
      shape: one.shape,
      encoding: one.encoding,
      bytes: one.byteLength,
    }))
    const told = { ...facts, packed }
    out.write(`${JSON.stringify(flags.tensors ? { ...told, tensors: list } : told)}\n`)
    return
  }
  const fileSize = await stat(checkpoint.path).then(
    (info) => (info.isFile() ? `, ${bytes(info.size)}` : ""),
    () => "",
  )
  const rows = rowsOf(facts, tensors.length, fileSize)
  for (const { path, bytes: size } of packed) rows.push(["Kept packed", `${bytes(size)} in ${oneLine(path)}`])
  out.write(`${labelled(context, rows)}\n`)
  if (flags.tensors) out.write(`\n${tensorTable(tensors)}\n`)
}

const formatNames: Readonly<Record<ModelFacts["format"], string>> = {
  safetensors: "safetensors",
  gguf: "GGUF",
  pth: "torch.save (.pth)",
  llama2c: "llama2.c",
}

const chatNames: Readonly<Record<ModelFacts["chat"], string>> = {
  template: "the model brings a template",
  llama3: "Llama 3 tokens, but no template: maybe a base model",
  none: "none: it continues texts (cria generate)",
}

function rowsOf(facts: ModelFacts, tensors: number, fileSize: string): [string, string][] {
  const { config, memory, tokenizer } = facts
  const rows: [string, string][] = [
    ["Model", oneLine(facts.name ?? facts.path)],
    ["Format", `${formatNames[facts.format]}, ${count(tensors)} tensors${fileSize}`],
    [
      "Parameters",
      `${parameters(facts.parameters)}${config.tiedEmbeddings ? ", embedding and output shared" : ""}`,
    ],
    [
      "Layers",
      `${config.layers} of width ${count(config.width)}, feed-forward ${count(config.feedForwardWidth)}`,
    ],
    [
      "Attention",
      `${config.queryHeads} query heads and ${config.kvHeads} key-value heads of ${config.headWidth}`,
    ],
    ["Positions", `theta ${count(config.ropeTheta)}, ${scalingOf(facts)}`],
    ["Context", `${count(config.contextLength)} tokens`],
    [
      "Vocabulary",
      `${count(config.vocabularySize)} tokens${tokenizer ? ` (${tokenizer.kind}, ${count(tokenizer.specialTokens)} special)` : ", but no tokenizer beside the model"}`,
    ],
    ["Chat", chatNames[facts.chat]],
    ["Weights", kinds(facts.weightsInFile)],
  ]
  if (facts.licence !== undefined) rows.push(["Licence", oneLine(facts.licence)])
  rows.push(
    ["Loaded as", kinds(facts.weightsInMemory)],
    [
      "Memory",
      `${bytes(memory.totalBytes)}: weights ${bytes(memory.weightBytes)}, ` +
        `cache ${bytes(memory.cacheBytes)} for ${count(memory.contextLength)} tokens`,
    ],
  )
  return rows
}

function scalingOf({ config: { ropeScaling: scaling }, hasFrequencyDivisors }: ModelFacts): string {
  if (hasFrequencyDivisors) return "scaled by the divisors in the file"
  if (!scaling) return "no scaling"
  return `llama3 scaling by ${scaling.factor} beyond ${count(scaling.originalContextLength)}`
}

const kinds = (sizes: Readonly<Record<string, number>>): string =>
  Object.entries(sizes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, size]) => `${kind} ${bytes(size)}`)
    .join(", ")

function labelled({ out }: Context, rows: readonly (readonly [string, string])[]): string {
  return table(rows.map(([name, value]) => [out.paint("dim", name), value])).join("\n")
}

function tensorTable(tensors: readonly TensorEntry[]): string {
  const rows = tensors.map((one) => [
    oneLine(one.name),
    `[${one.shape.join(", ")}]`,
    one.encoding,
    bytes(one.byteLength),
  ])
  return table([["TENSOR", "SHAPE", "ENCODING", "SIZE"], ...rows], [3]).join("\n")
}

async function machineInfo(context: Context, flags: Flags): Promise<void> {
  const { out } = context
  const { createBackend, nativeAbsence } = await import("../backends/index.js")
  const backend = await createBackend(flags.backend, { threads: flags.threads })
  const { name, threads, description } = backend
  await backend.dispose()
  const absence = await nativeAbsence()
  const processor = cpus()[0]?.model.trim() ?? "unknown"
  if (flags.json) {
    const { node, v8 } = process.versions
    const machine = { processor, cores: cpus().length, memoryBytes: totalmem() }
    out.write(
      `${JSON.stringify({ node, v8, platform: process.platform, architecture: process.arch, ...machine, backend: { name, threads, description }, nativeAbsence: absence })}\n`,
    )
    return
  }
  const rows: [string, string][] = [
    ["Processor", `${oneLine(processor)}, ${cpus().length} threads, ${process.arch}`],
    ["Memory", bytes(totalmem())],
    ["System", `${process.platform}, Node ${process.versions.node}`],
    ["Runs on", oneLine(description)],
  ]
  if (absence !== undefined) rows.push(["Not native", `because ${oneLine(absence)}`])
  out.write(`${labelled(context, rows)}\n`)
}
