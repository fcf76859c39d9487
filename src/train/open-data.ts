// From the files that a recipe names to streams of batches and to held-out data (Node only): examples are tokenized once
// into caches, and divided into what is learned from and what is measured.
import { createHash } from "node:crypto"
import { mkdir, stat } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import {
  type DataFile,
  dataFiles,
  Mixture,
  type ReadOptions,
  type RecordStore,
  TokenCache,
  type TokenRecord,
  writeTokenCache,
} from "../data/index.js"
import { InvalidOptionError } from "../errors/index.js"
import { holdOut } from "./held-out.js"
import type { PackingOptions } from "./packing.js"
import type { Recipe } from "./recipe/schema.js"
import { TeacherStore, type Teaching } from "./teacher-store.js"

/** How the examples of files become records. What it depends on beside the files is said in `key`. */
export interface RecordReader {
  readonly key: string
  read(files: readonly DataFile[], options: ReadOptions): AsyncIterable<TokenRecord>
}

/** What the files of a source hold, where its method takes several; undefined is what the method learns from. */
export type SourceExamples = Recipe["data"]["sources"][number]["examples"]

export interface DataHooks {
  /** A source is being tokenized, which takes a while in a first run; in bytes of its files. */
  readonly onTokens?: (source: string, done: number, total: number) => void
  /** A teacher is being asked, in shards of its answers. */
  readonly onTeacher?: (source: string, done: number, total: number) => void
  readonly signal?: AbortSignal
}

/** A source as a recipe names it, with its records. */
export interface DataSource {
  readonly name: string
  readonly weight: number
  readonly training: RecordStore
  readonly heldOut: RecordStore | undefined
}

export interface Data {
  readonly sources: readonly DataSource[]
  /** Tokens to learn from. */
  readonly tokens: number
  close(): Promise<void>
}

/** Opens the sources of a recipe; `folder` is where its relative paths begin, `cache` where tokens are kept. */
export async function openData(
  { data, seed }: Pick<Recipe, "data" | "seed">,
  folder: string,
  cache: string,
  readerOf: (examples: SourceExamples) => RecordReader,
  hooks: DataHooks = {},
  teaching?: Teaching,
): Promise<Data> {
  await mkdir(cache, { recursive: true })
  const open: { close(): Promise<void> }[] = []
  try {
    const filesOf = (paths: readonly string[]) => dataFiles(paths.map((path) => resolve(folder, path)))
    const sources: DataSource[] = []
    const add = async (given: string | undefined, paths: readonly string[], examples: SourceExamples) => {
      const files = await filesOf(paths)
      const name = given ?? nameOf(files[0].path)
      const store = await cached(name, files, cache, readerOf(examples), hooks)
      open.push(store)
      if (!teaching) return { name, store }
      const taught = await taughtStore(name, store, cache, teaching, hooks)
      open.push(taught)
      return { name, store: taught }
    }
    for (const { name: given, files, examples, weight } of data.sources) {
      const { name, store } = await add(given, files, examples)
      sources.push({ name, weight, ...holdOut(store, data.validationFiles ? 0 : data.validation, seed) })
    }
    for (const { path } of await filesOf(data.validationFiles ?? [])) {
      const { name, store } = await add(`held-out-${nameOf(path)}`, [path], undefined)
      sources.push({ name, weight: 0, training: store, heldOut: store })
    }
    const tokens = sources.reduce(
      (sum, { training, weight }) => (weight > 0 ? sum + training.tokens : sum),
      0,
    )
    return {
      sources,
      tokens,
      close: async () => void (await Promise.all(open.map((store) => store.close()))),
    }
  } catch (error) {
    await Promise.allSettled(open.map((store) => store.close()))
    throw error
  }
}

/**
 * Records of the sources in the order of a run. The share of a source is weight * factor * tokens^(1/temperature); with
 * factor 0 it is left out.
 */
export function mixtureOf(
  { sources }: Data,
  temperature: number,
  seed: number,
  factors: Readonly<Record<string, number>> = {},
): Mixture {
  for (const name of Object.keys(factors)) {
    if (!sources.some((source) => source.name === name))
      throw new InvalidOptionError(
        `schedule.anneal.weights names ${name}, but the sources are ${sources.map((source) => source.name).join(", ")}`,
      )
  }
  const shares = sources.map(({ name, training, weight }) => {
    return {
      name,
      store: training,
      weight: weight * (factors[name] ?? 1) * training.tokens ** (1 / temperature),
    }
  })
  return new Mixture(
    shares.filter(({ weight }) => weight > 0),
    seed,
  )
}

/** Name of a source after its file: `en.stories.txt.gz` is `en.stories`. */
const nameOf = (file: string): string =>
  basename(file)
    .replace(/\.(?:txt|text|md|jsonl|ndjson|gz)\b/g, "")
    .slice(0, 64)

/** The token cache of a source: made where there is none, or where it was made from other files or in another way. */
async function cached(
  name: string,
  files: readonly DataFile[],
  cache: string,
  reader: RecordReader,
  { onTokens, signal }: DataHooks,
): Promise<TokenCache> {
  const hash = createHash("sha256").update(reader.key)
  for (const { path, bytes } of files) hash.update(`\n${path} ${bytes} ${(await stat(path)).mtimeMs}`)
  const fingerprint = hash.digest("hex")
  const path = join(cache, `${name}-${fingerprint.slice(0, 12)}.tokens`)
  if (await stat(path).catch(() => undefined)) {
    const store = await TokenCache.open(path)
    if (store.fingerprint === fingerprint) return store
    await store.close()
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const onRead = (bytes: number) => onTokens?.(name, (done += bytes), total)
  await writeTokenCache(path, fingerprint, reader.read(files, { onRead, signal }))
  return TokenCache.open(path)
}

/** A source with what the teacher says about it. */
function taughtStore(
  name: string,
  store: TokenCache,
  cache: string,
  teaching: Teaching,
  { onTeacher, signal }: DataHooks,
): Promise<TeacherStore> {
  const fingerprint = createHash("sha256").update(`${store.fingerprint} ${teaching.key}`).digest("hex")
  return TeacherStore.open(store, join(cache, `${name}-${fingerprint.slice(0, 12)}.teacher`), teaching, {
    onShard: (done, total) => onTeacher?.(name, done, total),
    signal,
  })
}

/** How records of a run are packed. */
export const packingOf = (
  { batch }: Pick<Recipe, "batch">,
  context: number,
  { divides, withLast }: Pick<PackingOptions, "divides" | "withLast">,
): PackingOptions => ({ rows: batch.microTokens, context, divides, withLast })
