// The models of cria serve: their names, where they are, what memory they will take, and how they are loaded.
import { basename } from "node:path"
import type { ModelEntry } from "../server/index.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { oneLine } from "./format.js"
import type { ModelFlags } from "./options.js"
import { startProgress } from "./progress.js"

/** What the engine makes room for, at most, where no context length is given. */
const usualCacheBytes = 2 ** 30

/** What is said of the engine of every model. */
type EngineFlags = Omit<ModelFlags, "model" | "adapter">

/**
 * Entries by name of what --model says: `name=source`, or a source that gives its own name; with the adapters that
 * --adapter says, `model:name=folder`, or without the model where there is one only.
 */
export async function servedModels(
  context: Context,
  flags: EngineFlags,
  given: readonly string[],
  adapters: readonly string[],
): Promise<Record<string, ModelEntry>> {
  const { defaultModel } = await import("../hub/index.js")
  const sources = new Map<string, string>()
  const entries: Record<string, ModelEntry> = {}
  for (const model of given) {
    const [named, source] = split(model)
    if (source === "")
      throw new UsageError(`--model "${oneLine(model)}" names no model: give name=source, or a source`)
    const meant = source === "default" ? defaultModel(context.env) : source
    const name = named ?? nameOf(meant)
    if (sources.has(name))
      throw new UsageError(
        `two models are called ${oneLine(name)}: give each a name, as in --model small=${oneLine(source)}`,
      )
    sources.set(name, meant)
  }
  const folders = adapterFolders([...sources.keys()], adapters)
  for (const [name, source] of sources) {
    const memoryBytes = sources.size > 1 ? await memoryOf(source, flags) : undefined
    const own = folders.get(name) ?? {}
    entries[name] = {
      memoryBytes,
      adapters: Object.keys(own),
      load: (signal) => load(context, source, flags, own, signal),
    }
  }
  return entries
}

/** `name=rest`, or the rest alone. */
function split(text: string): [name: string | undefined, rest: string] {
  const [, name, rest = ""] = /^(?:([A-Za-z0-9][\w.:@/-]*)=)?(.*)$/s.exec(text) ?? []
  return [name, rest]
}

/** The folders of adapters by their names, for each model that has some. */
function adapterFolders(
  models: readonly string[],
  given: readonly string[],
): Map<string, Record<string, string>> {
  const all = new Map<string, Record<string, string>>()
  for (const adapter of given) {
    const [named = "", folder] = split(adapter)
    if (folder === "")
      throw new UsageError(`--adapter "${oneLine(adapter)}" names no folder: give name=folder, or a folder`)
    // a model's name may hold colons too
    const [model] = models
      .filter((name) => named.startsWith(`${name}:`))
      .toSorted((a, b) => b.length - a.length)
    if (model === undefined && models.length > 1)
      throw new UsageError(
        `--adapter "${oneLine(adapter)}" does not say for which model: write --adapter ${oneLine(models[0])}:name=folder`,
      )
    const base = model ?? models[0]
    const name = (model === undefined ? named : named.slice(model.length + 1)) || nameOf(folder)
    const own = all.get(base) ?? {}
    if (Object.hasOwn(own, name))
      throw new UsageError(`two adapters of ${oneLine(base)} are called ${oneLine(name)}: give each a name`)
    all.set(base, { ...own, [name]: folder })
  }
  return all
}

/** A hub id is its own name; a path's is that of the file or folder. */
function nameOf(source: string): string {
  const isId = /^[^./~\\][^/\\]*\/[^/\\]+$/.test(source) && !/\.(gguf|safetensors|pth|bin)$/.test(source)
  return isId ? source : basename(source).replace(/\.(gguf|safetensors|pth|bin)$/, "") || source
}

/** Weights and cache of a model on this disk; undefined for one that is yet to be downloaded. */
async function memoryOf(source: string, flags: EngineFlags): Promise<number | undefined> {
  const { findModel } = await import("../hub/index.js")
  const path = await findModel(source)
  if (path === undefined) return undefined
  const { openCheckpoint } = await import("../formats/node.js")
  const checkpoint = await openCheckpoint(path)
  try {
    const { describeModel } = await import("./describe-model.js")
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
  { backend, threads, contextLength, weights, packedCache }: EngineFlags,
  adapters: Record<string, string>,
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
      adapters,
      signal: AbortSignal.any([signal, lifetime.signal]),
      onProgress: ({ stage, loaded, total, file }) =>
        progress.update(stage === "download" ? oneLine(file ?? "downloading") : "loading", loaded, total),
    })
  } finally {
    progress.end()
  }
}
