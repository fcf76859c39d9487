// Finds a model on this disk from what a user wrote, lists them all, and says what was probably meant. Does not
// download anything.
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { InvalidOptionError } from "../errors/index.js"
import { type ModelFolders, modelFolders } from "./folders.js"
import { findInCache, listHuggingFace } from "./list-huggingface.js"
import { listLmStudio, listOllama } from "./list-others.js"
import type { ModelList } from "./local-model.js"
import { type ModelId, parseModelId } from "./model-id.js"

/** Where to look; by default in the folders of Hugging Face, Ollama and LM Studio. */
export interface FindOptions {
  readonly folders?: Partial<ModelFolders>
}

const foldersOf = (options: FindOptions): ModelFolders =>
  options.folders ? { huggingface: [], ollama: [], lmstudio: [], ...options.folders } : modelFolders()

/** Models on this disk, sorted by id; whatever is broken or unreadable is named in `skipped`. */
export async function listModels(options: FindOptions = {}): Promise<ModelList> {
  const folders = foldersOf(options)
  const list: ModelList = { models: [], skipped: [] }
  for (const folder of folders.huggingface) await listHuggingFace(resolve(folder), list)
  for (const folder of folders.ollama) await listOllama(resolve(folder), list)
  for (const folder of folders.lmstudio) await listLmStudio(resolve(folder), list)
  list.models.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  return list
}

/** A hub id, or undefined where the text is none. */
export function tryParseModelId(text: string): ModelId | undefined {
  try {
    return parseModelId(text)
  } catch (error) {
    if (error instanceof InvalidOptionError) return undefined
    throw error
  }
}

/**
 * The path of a model that is on this disk: a folder or file that exists, a hub id in a Hugging Face cache, or a
 * name of Ollama (`ollama:llama3.2:1b`, `llama3.2:1b`, `llama3.2`) or LM Studio (`lmstudio:publisher/name/file`).
 * Undefined where it is not there: pull it, or raise an error with {@link suggestModels}.
 *
 * @throws InvalidOptionError where an id means several cached models (lists them).
 */
export async function findModel(source: string, options: FindOptions = {}): Promise<string | undefined> {
  if (source === "" || source.length > 4096 || source.includes("\0")) return undefined
  const path = resolve(source)
  if (await stat(path).catch(() => undefined)) return path
  const folders = foldersOf(options)
  const id = tryParseModelId(source)
  if (id)
    for (const folder of folders.huggingface) {
      const found = await findInCache(resolve(folder), id.repository, id.revision ?? "main", id.selection)
      if (found) return found.path
    }
  return (await findForeign(source, options))?.path
}

/** The Ollama or LM Studio model that a name means. */
export async function findForeign(source: string, options: FindOptions) {
  const folders = foldersOf(options)
  const list: ModelList = { models: [], skipped: [] }
  for (const folder of folders.ollama) await listOllama(resolve(folder), list)
  for (const folder of folders.lmstudio) await listLmStudio(resolve(folder), list)
  const names = [
    source,
    `ollama:${source}`,
    `ollama:${source}:latest`,
    `${source}:latest`,
    `lmstudio:${source}`,
  ]
  return list.models.find((model) => names.includes(model.id))
}

const longestName = 100
const mostCandidates = 1000

/**
 * Up to three ids of models on this disk that resemble what was written, nearest first: at most a third of the
 * letters differ (Levenshtein 1966), or one contains the other. Bounded: 1000 names of 100 characters.
 */
export async function suggestModels(source: string, options: FindOptions = {}): Promise<string[]> {
  const { models } = await listModels(options)
  return closestNames(
    source,
    models.map((model) => model.id),
  )
}

/** The names nearest to a word; see {@link suggestModels}. */
export function closestNames(word: string, names: readonly string[], most = 3): string[] {
  const wanted = word.toLowerCase().slice(0, longestName)
  if (wanted === "") return []
  return [...new Set(names)]
    .slice(0, mostCandidates)
    .map((name) => {
      const candidate = name.toLowerCase().slice(0, longestName)
      // A quantization, a prefix or an owner that was left out should not count as a difference.
      const whole = [candidate, candidate.replace(/^(?:ollama|lmstudio):/, ""), candidate.split("/").at(-1)!]
      const forms = new Set(whole.flatMap((form) => [form, form.split(":")[0]]))
      const distance = Math.min(...[...forms].map((form) => editDistance(wanted, form)))
      return { name, distance: candidate.includes(wanted) ? Math.min(distance, 1) : distance }
    })
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(wanted.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ name }) => name)
}

/** Levenshtein distance with one row. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]
      row[j] = Math.min(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.length]
}
