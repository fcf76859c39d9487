// cria prune: a model with the parts that matter least taken out.
import { stat } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { type Command, Option } from "commander"
import { InvalidOptionError } from "../errors/index.js"
import type { Importance, PrunePlan, PruneTarget } from "../compress/index.js"
import type { ModelConfig } from "../model/config.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { count, duration, oneLine, parameters, table } from "./format.js"
import { backendOption, fieldOption, numberIn, repeated, separatorOption } from "./options.js"
import { openSource } from "./model-source.js"
import { startProgress } from "./progress.js"

interface Flags extends Pick<PruneTarget, "layers" | "kvHeads" | "width"> {
  readonly text?: string[]
  readonly feedForward?: number
  readonly tokens: number
  readonly length: number
  readonly weights?: "f32" | "bf16" | "f16"
  readonly backend: "auto" | "native" | "wasm" | "reference"
  readonly separator: string
  readonly field: string
  readonly force?: boolean
  readonly json?: boolean
}

export function addPrune(program: Command, context: Context): void {
  const whole = (min: number, max: number) => numberIn({ min, max, whole: true })
  program
    .command("prune")
    .summary("take out the parts of a model that matter least")
    .description(
      "Measures on a text how much each layer, key-value head, neuron and channel of a model matters, and writes the model without the least important ones: a folder like any other. What it has lost it learns again by distillation.",
    )
    .argument("<in>", "a folder, a file or a hub id that is on this disk")
    .argument("<out>", "the folder to write")
    .addOption(
      new Option(
        "--text <path>",
        "text to measure on: a file, a folder, or a name with *; may be repeated",
      ).argParser(repeated),
    )
    .addOption(new Option("--layers <number>", "layers to keep").argParser(whole(1, 1024)))
    .addOption(
      new Option("--kv-heads <number>", "key-value heads to keep, each with its query heads").argParser(
        whole(1, 1024),
      ),
    )
    .addOption(
      new Option("--feed-forward <number>", "neurons of each layer to keep").argParser(whole(1, 1 << 20)),
    )
    .addOption(
      new Option("--width <number>", "channels of the residual stream to keep").argParser(whole(1, 65536)),
    )
    .addOption(
      new Option("--tokens <number>", "tokens to measure on").default(32768).argParser(whole(16, 1e9)),
    )
    .addOption(
      new Option("--length <number>", "longest text, in tokens").default(512).argParser(whole(2, 131072)),
    )
    .addOption(
      new Option(
        "--weights <kind>",
        "kind of the new weights (default: that of the model, bf16 where it is quantized)",
      ).choices(["f32", "bf16", "f16"]),
    )
    .addOption(backendOption())
    .addOption(separatorOption())
    .addOption(fieldOption())
    .option("--force", "replace the model that is there")
    .option("--json", "print one JSON object with what was measured and kept")
    .addHelpText(
      "after",
      `
Examples:
  $ cria prune ./teacher ./student --text ./texts --layers 6 --feed-forward 512
  $ cria prune ./llama-3.2-1b ./half --text "corpus/*.txt.gz" --kv-heads 4 --width 1024 --weights bf16`,
    )
    .action((from: string, to: string, flags: Flags) => prune(context, from, to, flags))
}

async function prune(context: Context, from: string, to: string, flags: Flags): Promise<void> {
  const { err, lifetime } = context
  const { layers, kvHeads, feedForward: feedForwardWidth, width } = flags
  const target: PruneTarget = { layers, kvHeads, feedForwardWidth, width }
  const wanted = Object.fromEntries(Object.entries(target).filter(([, value]) => value !== undefined))
  if (Object.keys(wanted).length === 0)
    throw new UsageError("nothing is to be taken out: give --layers, --kv-heads, --feed-forward or --width")
  if (flags.text === undefined)
    throw new UsageError(
      "--text is missing: importance is measured on a text of the kind that the model is for",
    )
  const there = await stat(to).catch(() => undefined)
  if (there && !flags.force)
    throw new InvalidOptionError(`${oneLine(to)} exists: choose another name, or add --force`)
  if (there && !(await stat(join(to, "config.json")).catch(() => undefined)))
    throw new InvalidOptionError(
      `${oneLine(to)} is no folder of a model, so it is not replaced: choose another name`,
    )
  const checkpoint = await openSource(context, from)
  if (resolve(checkpoint.path) === resolve(to))
    throw new UsageError("a model cannot be pruned onto itself: choose another name")
  const start = performance.now()
  const [
    { calibrationTexts, checkTarget, columnNorms, measureImportance, planPruning, writePruned },
    { dataFiles },
  ] = await Promise.all([import("../compress/index.js"), import("../data/index.js")])
  const { readStages, writeStages } = await import("../card/index.js")
  const { createBackend } = await import("../backends/index.js")
  const { publishFolder } = await import("../formats/write-folder.js")
  const { layoutOf, loadModel } = await import("../model/checkpoint.js")
  const { readTokenizer } = await import("../engine/load-model.js")

  const { EnergyMeter } = await import("../energy/index.js")
  const { signal } = lifetime
  const meter = await EnergyMeter.start()
  const tokenizer = readTokenizer(checkpoint)
  checkTarget((await layoutOf(checkpoint)).config, target)
  const { separator, field, length } = flags
  const texts = await calibrationTexts(await dataFiles(flags.text), tokenizer, {
    tokens: flags.tokens,
    length,
    separator,
    field,
    signal,
  })
  const total = texts.reduce((sum, ids) => sum + ids.length, 0)
  const progress = { tokens: startProgress(err, { unit: "tokens" }), bytes: startProgress(err) }
  const end = () => Object.values(progress).forEach((one) => one.end())
  const undo = lifetime.defer(end)
  const backend = await createBackend(flags.backend)
  const dispose = lifetime.defer(() => backend.dispose())
  try {
    const model = await loadModel(checkpoint, backend, { signal })
    const importance = await measureImportance(backend, model, texts, (tokens) => {
      signal.throwIfAborted()
      progress.tokens.update("Measuring", tokens, total)
    })
    progress.tokens.end()
    const plan = planPruning(model.config, importance, await columnNorms(checkpoint), target)
    await publishFolder(to, async (folder) => {
      await writePruned(checkpoint, plan, folder, {
        weights: flags.weights,
        tokenizer,
        signal,
        onProgress: (done, all) => progress.bytes.update("Writing", done, all),
      })
      await writeStages(folder, [
        ...(await readStages(await folderOf(checkpoint.path))),
        {
          method: "prune",
          ended: new Date().toISOString(),
          parameters: parametersOf(plan.config),
          tokens: importance.tokens,
          settings: wanted,
          data: [],
          energy: await meter.report(),
        },
      ])
    })
    end()
    report(context, to, model.config, importance, plan, (performance.now() - start) / 1000, flags)
  } finally {
    meter.stop()
    end()
    dispose()
    undo()
    await backend.dispose()
  }
}

/** The folder that a model is, or that its file is in. */
const folderOf = async (path: string): Promise<string> =>
  (await stat(path)).isDirectory() ? path : dirname(path)

/** Parameters of a model of these numbers. */
function parametersOf(config: ModelConfig): number {
  const {
    width: D,
    layers,
    queryHeads,
    kvHeads,
    headWidth: E,
    feedForwardWidth: F,
    vocabularySize: V,
  } = config
  const block = 2 * D * E * (queryHeads + kvHeads) + 3 * D * F + 2 * D
  return V * D * (config.tiedEmbeddings ? 1 : 2) + layers * block + D
}

function report(
  { out, err }: Context,
  path: string,
  config: ModelConfig,
  importance: Importance,
  plan: PrunePlan,
  seconds: number,
  { json }: Flags,
): void {
  const [before, after] = [parametersOf(config), parametersOf(plan.config)]
  const blocks = [...importance.blocks]
  if (json) {
    const kept = {
      layers: plan.layers,
      kvHeads: plan.kvHeads.map((heads) => [...heads]),
      channels: [...plan.channels],
    }
    out.write(
      `${JSON.stringify({ path, tokens: importance.tokens, parameters: { before, after }, blockInfluence: blocks, config: plan.config, kept, seconds })}\n`,
    )
    return
  }
  const rows = blocks.map((influence, layer) => {
    const place = plan.layers.indexOf(layer)
    const heads = place < 0 ? "" : plan.kvHeads[place].join(" ")
    return [String(layer), influence.toFixed(4), place < 0 ? "taken out" : `layer ${place}`, heads]
  })
  out.write(
    `${table([["LAYER", "BLOCK INFLUENCE", "NOW", "KEY-VALUE HEADS KEPT"], ...rows], [0, 1]).join("\n")}\n`,
  )
  const { layers, width, queryHeads, kvHeads, feedForwardWidth } = plan.config
  err.write(
    `${err.paint("green", "✓")} ${oneLine(path)}: ${parameters(after)} of ${parameters(before)} parameters; ${layers} layers of width ${count(width)}, ` +
      `${queryHeads}/${kvHeads} heads, feed-forward ${count(feedForwardWidth)}; measured on ${count(importance.tokens)} tokens, ${duration(seconds)}\n`,
  )
}
