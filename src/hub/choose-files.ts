// Which files of a repository are the model: a safetensors set, one GGUF (or its split set), Meta's .pth, or a
// llama2.c .bin, with the configuration and the licence beside it. Pure: a list in, a list out; the same rules
// choose from a hub's listing and from a folder on disk.
import { InvalidOptionError, ModelNotFoundError } from "../errors/index.js"
import { formatBytes, printable } from "./model-id.js"

/** A file of a repository; `path` is relative with forward slashes. */
export interface RepositoryFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/** The files that a model needs. */
export interface Choice<F extends RepositoryFile> {
  readonly format: "safetensors" | "gguf" | "pth" | "llama2c" | "files"
  readonly files: readonly F[]
  /** What to open, relative to the repository: "" for its folder, else a subfolder or a file. */
  readonly entry: string
  /** Bytes of all files. */
  readonly bytes: number
}

const configFiles = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "chat_template.jinja",
  "chat_template.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "adapter_config.json",
])
const documents = /^(?:licen[cs]e|use_policy|readme|notice|copying)(?:[._-][^/]*)?$/i
const largestDocument = 4 << 20
const splitPattern = /-(\d{5})-of-(\d{5})$/
const quantization =
  /(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_\w+)?|TQ\d_\d|BF16|F16|FP16|F32|FP32|MXFP4(?:_\w+)?|NVFP4))$/i

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1)
const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")))

/** One GGUF model: a single file, or all pieces of a split one in order. */
export interface GgufSet<F extends RepositoryFile> {
  /** Path without `.gguf` and without the piece number. */
  readonly stem: string
  /** `Q4_0` and the like, upper case, where the name ends in one. */
  readonly quantization: string | undefined
  readonly files: readonly F[]
  readonly bytes: number
  /** Pieces that the names promise and the list lacks. */
  readonly missing: number
}

/** Groups the GGUF files of a list into models; vision projectors and importance matrices are not models. */
export function ggufSets<F extends RepositoryFile>(files: readonly F[]): GgufSet<F>[] {
  const groups = new Map<string, { stem: string; files: F[]; pieces: number }>()
  for (const file of files) {
    if (
      !/\.gguf$/i.test(file.path) ||
      /^(?:mmproj|imatrix)|[-_.](?:mmproj|imatrix)[-_.]/i.test(baseName(file.path))
    )
      continue
    const whole = file.path.slice(0, -5)
    const split = splitPattern.exec(whole)
    const stem = split ? whole.slice(0, split.index) : whole
    const key = split ? `${stem} of ${split[2]}` : stem
    const group = groups.get(key) ?? { stem, files: [], pieces: split ? Number(split[2]) : 1 }
    group.files.push(file)
    groups.set(key, group)
  }
  return [...groups.values()].map((group) => ({
    stem: group.stem,
    quantization: quantization.exec(group.stem)?.[1]!.toUpperCase(),
    files: group.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    bytes: group.files.reduce((sum, file) => sum + file.size, 0),
    missing: Math.max(0, group.pieces - group.files.length),
  }))
}

/** Shards that the names `x-00001-of-00003` promise and the list lacks. */
export function missingShards(files: readonly RepositoryFile[]): number {
  const seen = new Map<string, number>()
  for (const { path } of files) {
    const split = /-\d{5}-of-(\d{5})\.[A-Za-z]+$/.exec(path)
    if (!split) continue
    const key = `${path.slice(0, split.index)} of ${split[1]}`
    seen.set(key, (seen.get(key) ?? Number(split[1])) - 1)
  }
  return [...seen.values()].reduce((sum, lacking) => sum + Math.max(0, lacking), 0)
}

/**
 * Chooses the files of one model.
 *
 * @param selection what followed `:` in the id: an exact file, a subfolder, or a quantization name.
 * @param include patterns (`*` for anything, a trailing `/` for a folder) that replace the choice by these files.
 * @throws InvalidOptionError where several models are there and none is named (lists them with their sizes),
 *   ModelNotFoundError where what was asked for, or any model, is missing.
 */
export function chooseFiles<F extends RepositoryFile>(
  repository: string,
  files: readonly F[],
  selection?: string,
  include?: readonly string[],
): Choice<F> {
  if (include !== undefined) return chooseIncluded(repository, files, include)
  const papers = files.filter(
    (file) => !file.path.includes("/") && documents.test(file.path) && file.size <= largestDocument,
  )
  const take = (format: Choice<F>["format"], chosen: readonly F[], entry: string): Choice<F> => {
    const all = [...new Set([...chosen, ...papers])]
    return { format, files: all, entry, bytes: all.reduce((sum, file) => sum + file.size, 0) }
  }
  if (selection === undefined) return chooseInFolder(repository, files, "", take)

  const exact = files.find((file) => file.path === selection)
  if (exact) {
    const set = ggufSets(files).find((candidate) => candidate.files.includes(exact))
    if (set) return take("gguf", wholeSet(repository, set), set.files[0].path)
    const beside = files.filter(
      (file) => folderOf(file.path) === folderOf(exact.path) && isCompanion(baseName(file.path)),
    )
    return take("files", [exact, ...beside], exact.path)
  }
  const folder = selection.replace(/\/+$/, "")
  if (files.some((file) => file.path.startsWith(`${folder}/`)) && !namesQuantization(files, folder))
    return chooseInFolder(repository, files, folder, take)
  return chooseQuantization(repository, files, selection, take)
}

type Take<F extends RepositoryFile> = (
  format: Choice<F>["format"],
  chosen: readonly F[],
  entry: string,
) => Choice<F>

/** Files that stand beside weights and are needed with them: configuration, tokenizer, parameters. */
const isCompanion = (name: string) =>
  configFiles.has(name) || name === "params.json" || /^tok[\w-]*\.(?:model|bin)$/i.test(name)

/** A folder called `Q8_0` that holds the pieces of that GGUF is a quantization, not a subfolder with a model. */
function namesQuantization(files: readonly RepositoryFile[], folder: string): boolean {
  return ggufSets(files).some((set) => folderOf(set.stem) === folder && nameHas(baseName(set.stem), folder))
}

function chooseInFolder<F extends RepositoryFile>(
  repository: string,
  files: readonly F[],
  folder: string,
  take: Take<F>,
): Choice<F> {
  const prefix = folder === "" ? "" : `${folder}/`
  const here = files.filter((file) => file.path.startsWith(prefix) && folderOf(file.path) === folder)
  const named = (pattern: RegExp) => here.filter((file) => pattern.test(baseName(file.path)))
  const companions = here.filter((file) => isCompanion(baseName(file.path)))
  const where = folder === "" ? repository : `${repository}:${folder}`

  const tensors = named(/\.safetensors$/)
  if (tensors.length > 0) {
    const model = tensors.filter((file) => !baseName(file.path).startsWith("consolidated"))
    const index = named(/\.safetensors\.index\.json$/).filter(
      (file) => !baseName(file.path).startsWith("consolidated"),
    )
    const config = here.filter((file) => configFiles.has(baseName(file.path)))
    return take("safetensors", [...config, ...index, ...(model.length > 0 ? model : tensors)], folder)
  }

  const sets = ggufSets(files.filter((file) => file.path.startsWith(prefix)))
  if (sets.length > 1) throw severalModels(where, "GGUF models", sets)
  if (sets.length === 1) return take("gguf", wholeSet(repository, sets[0]), sets[0].files[0].path)

  const pth = named(/\.pth$/)
  if (pth.length > 0) return take("pth", [...pth, ...companions], folder)

  const bins = named(/\.bin$/).filter((file) => !isCompanion(baseName(file.path)))
  if (bins.some((file) => baseName(file.path).startsWith("pytorch_model")))
    throw new ModelNotFoundError(
      `${where} holds its weights only as pytorch_model.bin, which is not read: ` +
        `look for a release of this model in safetensors or GGUF`,
    )
  if (bins.length > 1)
    throw severalModels(
      where,
      ".bin models",
      bins.map((file) => ({ stem: file.path, quantization: undefined, bytes: file.size })),
    )
  if (bins.length === 1)
    return take("llama2c", [...bins, ...companions], folder === "" ? bins[0].path : folder)
  const deeper = [
    ...new Set(files.map((file) => folderOf(file.path)).filter((path) => path !== folder)),
  ].slice(0, 8)
  throw new ModelNotFoundError(
    `${where} holds no safetensors, GGUF, .pth or llama2.c file` +
      (deeper.length > 0
        ? `: name a subfolder after a colon, one of ${printable(deeper.join(", "), 400)}`
        : `: check the name, or choose another revision`),
  )
}

function chooseQuantization<F extends RepositoryFile>(
  repository: string,
  files: readonly F[],
  selection: string,
  take: Take<F>,
): Choice<F> {
  const sets = ggufSets(files)
  const loose = sets.filter((set) => nameHas(set.stem, selection.replace(/\.gguf$/i, "")))
  const strict = loose.filter((set) => set.quantization === selection.toUpperCase())
  const found = strict.length > 0 ? strict : loose
  if (found.length > 1) throw severalModels(repository, `GGUF models called "${printable(selection)}"`, found)
  if (found.length === 1) return take("gguf", wholeSet(repository, found[0]), found[0].files[0].path)
  throw new ModelNotFoundError(
    `${repository} has no file, folder or quantization "${printable(selection)}"` +
      (sets.length > 0
        ? `: it holds ${listed(sets)}`
        : `, and no GGUF at all: leave out ":${printable(selection)}"`),
  )
}

function chooseIncluded<F extends RepositoryFile>(
  repository: string,
  files: readonly F[],
  include: readonly string[],
): Choice<F> {
  const chosen = files.filter((file) => include.some((pattern) => matchesPattern(file.path, pattern)))
  if (chosen.length === 0)
    throw new ModelNotFoundError(
      `no file of ${repository} matches ${printable(include.join(", "))}: ` +
        `it holds ${printable(files.map((file) => file.path).join(", "), 400)}`,
    )
  return {
    format: "files",
    files: chosen,
    entry: "",
    bytes: chosen.reduce((sum, file) => sum + file.size, 0),
  }
}

/** Glob with `*` only, matched left to right without backtracking: linear on any pattern. */
function matchesPattern(path: string, pattern: string): boolean {
  const parts = (pattern.endsWith("/") ? `${pattern}*` : pattern).split("*")
  const first = parts.shift()!
  if (!path.startsWith(first)) return false
  const last = parts.pop()
  if (last === undefined) return path === first
  let at = first.length
  for (const part of parts) {
    const next = path.indexOf(part, at)
    if (next < 0) return false
    at = next + part.length
  }
  return path.length - last.length >= at && path.endsWith(last)
}

/** Whether a file name holds a word between separators: `Q4_K` is in `x-Q4_K`, not in `x-Q4_K_M`. */
function nameHas(stem: string, word: string): boolean {
  const name = stem.toLowerCase()
  const wanted = word.toLowerCase()
  for (let at = name.indexOf(wanted); at >= 0; at = name.indexOf(wanted, at + 1)) {
    const before = at === 0 ? "" : name[at - 1]
    const after = name[at + wanted.length] ?? ""
    if (/^[-._/]?$/.test(before) && /^[-./]?$/.test(after)) return true
  }
  return false
}

function wholeSet<F extends RepositoryFile>(repository: string, set: GgufSet<F>): readonly F[] {
  if (set.missing > 0)
    throw new ModelNotFoundError(
      `${repository}: ${printable(set.stem)} is split and ${set.missing} of its pieces are missing: ` +
        `choose another quantization or revision`,
    )
  return set.files
}

interface Listed {
  readonly stem: string
  readonly quantization: string | undefined
  readonly bytes: number
}

function listed(sets: readonly Listed[]): string {
  const unique = new Set(sets.map((set) => set.quantization)).size === sets.length
  const names = sets
    .toSorted((a, b) => a.bytes - b.bytes)
    .map((set) => `${printable((unique && set.quantization) || set.stem)} (${formatBytes(set.bytes)})`)
  return names.slice(0, 30).join(", ") + (names.length > 30 ? ` and ${names.length - 30} more` : "")
}

function severalModels(where: string, what: string, sets: readonly Listed[]): InvalidOptionError {
  return new InvalidOptionError(
    `${where} holds ${sets.length} ${what}: name one after a colon, as in ` +
      `"${where.split(":")[0]}:${printable(exampleOf(sets))}"; there are ${listed(sets)}`,
  )
}

const exampleOf = (sets: readonly Listed[]) =>
  sets.find((set) => set.quantization === "Q4_0")?.quantization ?? sets[0].quantization ?? sets[0].stem
