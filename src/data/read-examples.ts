// From data files to examples, one after the other (Node only): which files are meant, what is in them by their names, and
// where in them something is wrong.
import { readdir, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { fileError } from "../formats/file-source.js"
import { parseJsonObject } from "../formats/json.js"
import type { ExampleKind, ExampleOf, Place, TextExample } from "./example.js"
import { readLines } from "./lines.js"
import { chatExample, preferenceExample, promptExample } from "./shapes.js"
import { mostPartBytes, readTextFile } from "./text.js"

export interface ReadOptions {
  /**
   * Where a document ends in text files: at a line of this text alone. Default `<|doc|>`. With "" every line is one
   * document.
   */
  readonly separator?: string
  /** The field of JSONL files that holds the text. Default "text". */
  readonly field?: string
  /** Told how many bytes of the files, as they lie on the disk, were read since the last call. */
  readonly onRead?: (bytes: number) => void
  readonly signal?: AbortSignal
}

/** A file of data and its size on the disk. */
export interface DataFile {
  readonly path: string
  readonly bytes: number
}

const jsonLines = /\.(jsonl|ndjson)(\.gz)?$/i
const anyText = /\.(txt|jsonl|ndjson)(\.gz)?$/i
/** Longest line of JSON. */
const mostJsonBytes = 2 ** 24

/**
 * The files that paths name, in order: a file, a folder (all its .txt, .jsonl and .ndjson files, .gz or not, by name), or
 * a name with `*`. InvalidOptionError where a path names nothing.
 */
export async function dataFiles(paths: readonly string[]): Promise<DataFile[]> {
  const found = await Promise.all(paths.map(filesAt))
  return Promise.all(found.flat().map(async (path) => ({ path, bytes: (await statusOf(path)).size })))
}

async function filesAt(path: string): Promise<string[]> {
  if (basename(path).includes("*")) {
    const literals = basename(path)
      .split("*")
      .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
    const pattern = new RegExp(`^${literals.join(".*")}$`)
    return named(dirname(path), pattern, `no file is named like ${path}`)
  }
  if (!(await statusOf(path)).isDirectory()) return [path]
  return named(path, anyText, `${path} holds no data: expected .txt, .jsonl or .ndjson, .gz or not`)
}

async function named(folder: string, pattern: RegExp, complaint: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(folder, error)
  })
  const names = entries
    .filter((entry) => !entry.isDirectory() && pattern.test(entry.name))
    .map(({ name }) => name)
  if (names.length === 0) throw new InvalidOptionError(complaint)
  return names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => join(folder, name))
}

const statusOf = (path: string) =>
  stat(path).catch((error: unknown) => {
    throw fileError(path, error)
  })

/**
 * The examples of the files in order. Text comes from text files and from a field of JSONL; conversations and preferences
 * from JSONL in the shapes of shapes.ts. Anything else is an InvalidFileError with file and line.
 */
export async function* readExamples<Kind extends ExampleKind>(
  kind: Kind,
  files: readonly DataFile[],
  options: ReadOptions = {},
): AsyncGenerator<ExampleOf[Kind]> {
  for (const { path } of files) yield* readers[kind](path, options)
}

type Reader<Kind extends ExampleKind> = (
  path: string,
  options: ReadOptions,
) => AsyncGenerator<ExampleOf[Kind]>

const readers: { readonly [Kind in ExampleKind]: Reader<Kind> } = {
  text(path, options) {
    if (jsonLines.test(path)) return readTextField(path, options)
    const separator = options.separator ?? "<|doc|>"
    return readTextFile(path, { separator: separator === "" ? undefined : separator }, options)
  },
  async *chat(path, options) {
    for await (const { fields, place } of readObjects(path, options)) yield chatExample(fields, place)
  },
  async *prompt(path, options) {
    for await (const { fields, place } of readObjects(path, options)) yield promptExample(fields, place)
  },
  async *preference(path, options) {
    for await (const { fields, place } of readObjects(path, options)) yield preferenceExample(fields, place)
  },
}

/** One object a line; empty lines are passed over. */
async function* readObjects(
  path: string,
  options: ReadOptions,
): AsyncGenerator<{ fields: Record<string, unknown>; place: Place }> {
  if (!jsonLines.test(path))
    throw new InvalidFileError(
      `${path} is not named .jsonl (or .jsonl.gz): conversations are read from one JSON object a line; a JSON array ` +
        `becomes that with: jq -c '.[]'`,
    )
  for await (const { bytes, number, ends } of readLines(path, { ...options, mostBytes: mostJsonBytes })) {
    const what = `${path}:${number}`
    if (!ends) throw new InvalidFileError(`${what}: the line has over ${mostJsonBytes} bytes`)
    if (bytes.every((byte) => byte === 0x20 || byte === 0x09)) continue
    yield { fields: parseJsonObject(bytes, what), place: { file: path, line: number } }
  }
}

async function* readTextField(path: string, options: ReadOptions): AsyncGenerator<TextExample> {
  const { field = "text" } = options
  let document = 0
  for await (const { fields, place } of readObjects(path, options)) {
    const text = fields[field]
    if (typeof text !== "string")
      throw new InvalidFileError(
        `${place.file}:${place.line}: the field "${field}" is ${text === undefined ? "missing" : "not a text"}`,
      )
    for (let at = 0; at < text.length; ) {
      // Not between the halves of a character outside the basic plane.
      const half = text.charCodeAt(at + mostPartBytes - 1) >> 10 === 0xd800 >> 10
      const end = Math.min(text.length, at + mostPartBytes - (half ? 1 : 0))
      yield { text: text.slice(at, end), document, continues: at > 0, place }
      at = end
    }
    if (text !== "") document++
  }
}
