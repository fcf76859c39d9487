// cria convert: a model in another format or with another kind of weight.
import { rmdir, stat } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { type Command, Option } from "commander"
import { InvalidOptionError } from "../errors/index.js"
import { type WeightKind, weightKinds } from "../weights/kind.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { bytes, duration, oneLine } from "./format.js"
import { openSource } from "./model-source.js"
import { startProgress } from "./progress.js"

interface Flags {
  readonly to?: "gguf" | "safetensors"
  readonly weights: "auto" | WeightKind
  readonly name?: string
  readonly force?: boolean
  readonly json?: boolean
}

export function addConvert(program: Command, context: Context): void {
  program
    .command("convert")
    .summary("write a model in another format or kind of weight")
    .description(
      "Writes a model as GGUF (one file, for llama.cpp) or as a safetensors folder (for transformers). The new one gets its name only when it is complete.",
    )
    .argument("<in>", "a folder, a file or a hub id that is on this disk")
    .argument("<out>", "a name that ends with .gguf, or a folder for safetensors")
    .addOption(
      new Option("--to <format>", "what to write (default: what the name says)").choices([
        "gguf",
        "safetensors",
      ]),
    )
    .addOption(
      new Option("--weights <kind>", "kind of weight; auto keeps what there is")
        .choices(["auto", ...weightKinds.filter((kind) => kind !== "int8-channel")])
        .default("auto"),
    )
    .option("--name <text>", "name of the model in GGUF (default: that of the file)")
    .option("--force", "replace what is there")
    .option("--json", "print one JSON object about what was written")
    .addHelpText(
      "after",
      `
Examples:
  $ cria convert ./Llama-3.2-1B-Instruct llama-1b-int4.gguf --weights int4
  $ cria convert llama-1b.gguf ./llama-1b-folder --weights bf16
  $ cria convert ./consolidated-folder llama.gguf`,
    )
    .action((from: string, to: string, flags: Flags) => convert(context, from, to, flags))
}

async function convert(context: Context, from: string, to: string, flags: Flags): Promise<void> {
  const { out, err, lifetime } = context
  const format = formatOf(to, flags.to)
  const path = resolve(to)
  const there = await stat(path).catch(() => undefined)
  if (there && !flags.force)
    throw new InvalidOptionError(`${oneLine(to)} exists: choose another name, or add --force`)
  if (there && there.isDirectory() !== (format === "safetensors"))
    throw new InvalidOptionError(
      there.isDirectory()
        ? `${oneLine(to)} is a folder, and GGUF is one file: choose another name`
        : `${oneLine(to)} is a file, and safetensors is written as a folder: choose another name`,
    )
  const checkpoint = await openSource(context, from)
  if (resolve(checkpoint.path) === path)
    throw new UsageError("a model cannot be converted onto itself: choose another name")
  const { convertModel } = await import("../model/convert.js")
  const { readTokenizer } = await import("../engine/load-model.js")
  const start = performance.now()
  const progress = startProgress(err)
  const undo = lifetime.defer(() => progress.end())
  let size = 0
  try {
    await convertModel(checkpoint, {
      to: format,
      path,
      weights: flags.weights,
      name: flags.name ?? basename(checkpoint.path).replace(/\.[a-z0-9]+$/i, ""),
      tokenizer: checkpoint.tokenizer && readTokenizer(checkpoint),
      signal: lifetime.signal,
      onProgress({ tensor, done, total }) {
        size = total
        progress.update(tensor, done, total)
      },
    })
  } catch (error) {
    // An empty folder that was not there before is nobody's.
    if (!there && format === "safetensors") await rmdir(path).catch(() => {})
    throw error
  } finally {
    progress.end()
    undo()
  }
  const seconds = (performance.now() - start) / 1000
  if (flags.json)
    out.write(`${JSON.stringify({ path, format, weights: flags.weights, weightBytes: size })}\n`)
  else
    err.write(
      `${err.paint("green", "✓")} ${oneLine(to)}: ${bytes(size)} of weights in ${duration(seconds)}\n`,
    )
}

function formatOf(to: string, wanted: Flags["to"]): "gguf" | "safetensors" {
  const named = /\.gguf$/i.test(to) ? "gguf" : "safetensors"
  if (wanted !== undefined && wanted !== named && named === "gguf")
    throw new UsageError(`${oneLine(to)} names a GGUF file, but --to asks for ${wanted}: leave one out`)
  if (wanted === undefined && /\.(?:safetensors|bin|pth)$/i.test(to))
    throw new UsageError("safetensors is written as a folder with its config: give the name of a folder")
  return wanted ?? named
}
