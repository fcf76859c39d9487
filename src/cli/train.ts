// cria train: a training run by a recipe, with a line that shows how far it is. Ctrl-C writes a checkpoint and ends.
import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import type { Command } from "commander"
import { InvalidOptionError } from "../errors/index.js"
import type { AnyRecipe, Recipe, SampleRecipe } from "../train/recipe/schema.js"
import type { MeasureLine, RunPlan, StepProgress } from "../train/run-events.js"
import type { Context } from "./context.js"
import { count, oneLine, parameters } from "./format.js"
import { repeated } from "./options.js"
import { startProgress } from "./progress.js"
import { TrainingLine } from "./training-line.js"

interface Flags {
  readonly resume?: boolean
  readonly check?: boolean
  readonly set?: string[]
  readonly json?: boolean
  readonly watch?: boolean
}

export function addTrain(program: Command, context: Context): void {
  program
    .command("train")
    .summary("train a model by a recipe")
    .description(
      "Trains a model as a recipe (a YAML file) says: pretraining, distillation, fine-tuning, preferences. Checkpoints are " +
        "written as it goes on; Ctrl-C writes one and ends. Each is a folder that `cria chat --model` runs.",
    )
    .argument("<recipe>", "the recipe, a YAML file; paths in it begin at its folder")
    .option("--resume", "go on from the last checkpoint of the run")
    .option("--check", "say what the recipe means, and train nothing")
    .option("--set <key=value>", "replace a value of the recipe; may be repeated", repeated)
    .option("--watch", "draw the run in a browser while it goes on")
    .option("--json", "print a JSON object for each step and measurement on standard output")
    .addHelpText(
      "after",
      `
Examples:
  $ cria train recipes/pretrain.yaml
  $ cria train recipes/pretrain.yaml --resume
  $ cria train recipes/sft.yaml --set optimizer.learningRate=1e-4 --set schedule.epochs=2
  $ cria train recipes/pretrain.yaml --watch
  $ cria train recipes/dpo.yaml --check`,
    )
    .action((path: string, flags: Flags) => runTraining(context, path, flags))
}

async function readRecipe(path: string, flags: Flags): Promise<AnyRecipe> {
  const { parseOverride, parseRecipe } = await import("../train/recipe/read.js")
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new InvalidOptionError(`the recipe ${oneLine(path)} cannot be read: ${(error as Error).message}`)
  })
  return parseRecipe(text, path, (flags.set ?? []).map(parseOverride))
}

async function runTraining(context: Context, path: string, flags: Flags): Promise<void> {
  const { out, err, lifetime } = context
  const recipe = await readRecipe(path, flags)
  if (flags.check) {
    out.write(`${JSON.stringify(recipe, undefined, 2)}\n`)
    return
  }
  if (recipe.method === "sample") return runSampling(context, path, recipe, flags)
  const { train } = await import("../train/run.js")
  const stop = new AbortController()
  const undoTerminate = lifetime.onTerminate((cause) => {
    if (stop.signal.aborted) return lifetime.abort(cause)
    stop.abort()
    err.write("\nWriting a checkpoint; a second Ctrl-C ends at once.\n")
  })
  const preparing = startProgress(err)
  const line = new TrainingLine(err)
  const undoLine = lifetime.defer(() => line.end())
  if (flags.watch) {
    const { watchRun } = await import("./watch.js")
    const watch = await watchRun(resolve(dirname(path), recipe.output, "metrics.jsonl"), `cria train ${path}`)
    lifetime.defer(() => watch.close())
    err.write(`The run is drawn at ${watch.url}\n`)
  }
  const print = (value: object) => flags.json && out.write(`${JSON.stringify(value)}\n`)
  try {
    const result = await train(recipe, {
      folder: dirname(resolve(path)),
      resume: flags.resume,
      signal: stop.signal,
      onPrepare: (what, done, total) => preparing.update(oneLine(what), done, total),
      onStart(plan) {
        preparing.end()
        describePlan(context, recipe, plan)
        print({ plan })
      },
      onStep(progress) {
        line.step(progress)
        print(stepLine(progress))
      },
      onMeasure(measured) {
        line.say(describeMeasure(measured))
        print(measured)
      },
      onNotice: (text) => line.say(text),
    })
    line.end()
    if (result.finished)
      err.write(`${err.paint("green", "✓")} ${oneLine(result.path)}${nextOf(recipe, result.path)}\n`)
    else
      err.write(
        `Stopped after step ${count(result.step)}; ${oneLine(result.path)} has it. Go on with  cria train ${oneLine(path)} --resume\n`,
      )
  } finally {
    preparing.end()
    line.end()
    undoLine()
    undoTerminate()
  }
}

async function runSampling(
  { out, err, lifetime }: Context,
  path: string,
  recipe: SampleRecipe,
  flags: Flags,
): Promise<void> {
  const { sample } = await import("../train/sample.js")
  const progress = startProgress(err, { unit: "prompts" })
  const undo = lifetime.defer(() => progress.end())
  try {
    const result = await sample(recipe, {
      folder: dirname(resolve(path)),
      signal: lifetime.signal,
      onProgress: (done, total) => progress.update("sampling", done, total),
    })
    progress.end()
    if (flags.json) out.write(`${JSON.stringify(result)}\n`)
    else
      err.write(
        `${err.paint("green", "✓")} ${oneLine(recipe.output)}: the best answers to ${count(result.kept)} of ${count(result.prompts)} prompts ` +
          `(sft.jsonl), ${count(result.pairs)} pairs (preferences.jsonl); mean score ${result.mean.toFixed(3)}, of the best ${result.best.toFixed(3)}\n`,
      )
  } finally {
    progress.end()
    undo()
  }
}

/** What can be done with the result. */
function nextOf({ method, adapter, model }: Recipe, path: string): string {
  if (method === "reward") return ": a recipe with `method: sample` judges with it (judge.reward)"
  if (adapter && !adapter.merge)
    return `: try  cria chat --model ${oneLine(model.from ?? "")} --adapter ${oneLine(path)}`
  return `: try  cria chat --model ${oneLine(path)}`
}

function describePlan({ err }: Context, recipe: Recipe, plan: RunPlan): void {
  const trained = plan.trained === plan.parameters ? "" : `, ${parameters(plan.trained)} of them trained`
  const sources = plan.sources.map(({ name, share }) => `${name} ${(100 * share).toFixed(1)}%`)
  err.write(
    `${err.paint("bold", plan.method)}: ${parameters(plan.parameters)} parameters${trained}; ${count(plan.steps)} steps of ` +
      `${count(recipe.batch.tokens)} tokens; ${count(plan.tokens)} tokens of data; ${plan.backend}\n`,
  )
  if (sources.length > 1) err.write(`${oneLine(sources.slice(0, 30).join(", "))}\n`)
  if (plan.done > 0) err.write(`Going on after step ${count(plan.done)}.\n`)
}

function describeMeasure({ step, validation, sources }: MeasureLine): string {
  const parts = Object.entries(sources).map(([name, { loss, ...more }]) => {
    const [first] = Object.values(more)
    return `${name} ${(first ?? loss).toFixed(3)}`
  })
  const unit = Object.keys(Object.values(sources)[0] ?? {}).includes("bitsPerByte") ? " (bits per byte)" : ""
  const detail = parts.length > 1 || unit ? `; ${parts.slice(0, 20).join(", ")}${unit}` : ""
  return `step ${count(step)}: held-out loss ${validation.toFixed(4)}${detail}`
}

const stepLine = ({
  step,
  steps,
  loss,
  learningRate,
  gradientNorm,
  rows,
  seconds,
  totalRows,
  totalSeconds,
  epoch,
  more,
}: StepProgress) => ({
  step,
  steps,
  loss,
  learningRate,
  gradientNorm,
  ...more,
  tokensPerSecond: rows / seconds,
  totalRows,
  totalSeconds,
  epoch,
})
