// The models of cria serve: their names, where they are, what memory they will take, and how they are loaded.
import { basename } from "node:path"
import type { ModelEntry } from "../server/index.js"
import type { Context } from "./context.js"
import { describeModel } from "./describe-model.js"
import { UsageError } from "./failure.js"
import { oneLine } from "./format.js"
import type { ModelFlags } from "./options.js"
import { startProgress } from "./progress.js"

/** What the engine makes room for, at most, where no context length is given. */
const usualCacheBytes = 2 ** 30

/** Entries by name of what --model says: `name=source`, or a source that gives its own name. */
export async function servedModels(
  context: Context,
  flags: Omit<ModelFlags, "model">,
  given: readonly string[],
): Promise<Record<string, ModelEntry>> {
  const { defaultModel } = await import("../hub/index.js")
  const entries: Record<string, ModelEntry> = {}
  for (const model of given) {
    const [, named, source = ""] = /^(?:([A-Za-z0-9][\w.:@/-]*)=)?(.*)$/s.exec(model) ?? []
    if (source === "")
      throw new UsageError(`--model "${oneLine(model)}" names no model: give name=source, or a source`)
    const meant = source === "default" ? defaultModel(context.env) : source
    const name = named ?? nameOf(meant)
    if (name in entries)
      throw new UsageError(
        `two models are called ${oneLine(name)}: give each a name, as in --model small=${oneLine(source)}`,
      )
    const memoryBytes = given.length > 1 ? await memoryOf(meant, flags) : undefined
    entries[name] = { memoryBytes, load: (signal) => load(context, meant, flags, signal) }
  }
  return entries
}

/** A hub id is its own name; a path's is that of the file or folder. */
function nameOf(source: string): string {
  const isId = /^[^./~\\][^/\\]*\/[^/\\]+$/.test(source) && !/\.(gguf|safetensors|pth|bin)$/.test(source)
  return isId ? source : basename(source).replace(/\.(gguf|safetensors|pth|bin)$/, "") || source
}

/** Weights and cache of a model on this disk; undefined for one that is yet to be downloaded. */
async function memoryOf(source: string, flags: Omit<ModelFlags, "model">): Promise<number | undefined> {
  const { findModel } = await import("../hub/index.js")
  const path = await findModel(source)
  if (path === undefined) return undefined
  const { openCheckpoint } = await import("../formats/node.js")
  const checkpoint = await openCheckpoint(path)
  try {
    const { memory, config } = await describeModel(checkpoint, flags.weights, flags.contextLength)
    const context = flags.contextLength ?? Math.max(config.contextLength, 16_384)
    const cache = memory.cacheBytesPerToken * context
    return memory.weightBytes + (flags.contextLength ? cache : Math.min(cache, usualCacheBytes))
  } finally {
    await checkpoint.close()
  }
}

async function load(
  { err, lifetime }: Context,
  source: string,
  { backend, threads, contextLength, weights, packedCache }: Omit<ModelFlags, "model">,
  signal: AbortSignal,
) {
  const { Llama } = await import("../engine/node-llama.js")
  const progress = startProgress(err)
  try {
    return await Llama.load(source, {
      backend,
      threads,
      contextLength,
      weights,
      packedCache,
      signal: AbortSignal.any([signal, lifetime.signal]),
      onProgress: ({ stage, loaded, total, file }) =>
        progress.update(stage === "download" ? oneLine(file ?? "downloading") : "loading", loaded, total),
    })
  } finally {
    progress.end()
  }
}
