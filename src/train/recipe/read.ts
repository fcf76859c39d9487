// A recipe as a YAML text: parsed within bounds, its variables filled in, checked by the schema. What is wrong is said
// with the key's path and the line it stands in.
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml"
import type { z } from "zod"
import { InvalidFileError, InvalidOptionError } from "../../errors/index.js"
import { type AnyRecipe, recipeSchema } from "./schema.js"

const maxLength = 2 ** 16
const maxLineLength = 4096
const maxBrackets = 100
const maxNodes = 100_000

/** A change of one value: `optimizer.learningRate` and what stands there instead. */
export interface Override {
  readonly path: readonly (string | number)[]
  readonly value: unknown
}

/** Parses `a.b.0.c=value`; the value is YAML. */
export function parseOverride(text: string): Override {
  const at = text.indexOf("=")
  if (at < 1)
    throw new InvalidOptionError(
      `"${text.slice(0, 100)}": expected key=value, such as optimizer.learningRate=3e-4`,
    )
  const path = text
    .slice(0, at)
    .split(".")
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  return { path, value: parseDocument(text.slice(at + 1)).toJS() as unknown }
}

/** @throws InvalidFileError with all that is wrong, a line each. */
export function parseRecipe(text: string, name: string, overrides: readonly Override[] = []): AnyRecipe {
  checkText(text, name)
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    version: "1.2",
    uniqueKeys: true,
    prettyErrors: false,
  })
  const [broken] = document.errors
  if (broken)
    throw new InvalidFileError(
      `${name}:${lines.linePos(broken.pos[0]).line}: not valid YAML: ${broken.message}`,
    )
  checkSize(document, name)
  if (!isMap(document.contents))
    throw new InvalidFileError(
      `${name}: a recipe is a list of \`key: value\` lines that begins with \`method:\``,
    )
  for (const { path, value } of overrides) document.setIn(path, value)
  const value = withVariables(plain(document, name), name)
  const result = recipeSchema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.slice(0, 8).flatMap((issue) => explain(issue, document, lines))
  throw new InvalidFileError(problems.map((problem) => `${name}${problem}`).join("\n"))
}

/** Refuses what the parser would take long for. */
function checkText(text: string, name: string): void {
  const notOne = (what: string) => new InvalidFileError(`${name} ${what}: not a recipe`)
  if (text.length > maxLength) throw notOne(`is longer than ${maxLength} characters`)
  if (text.split("\n").some((line) => line.length > maxLineLength))
    throw notOne(`has a line longer than ${maxLineLength} characters`)
  let open = 0
  for (const character of text) {
    if (character === "[" || character === "{") open++
    else if (character === "]" || character === "}") open = Math.max(0, open - 1)
    if (open > maxBrackets) throw notOne(`nests deeper than ${maxBrackets}`)
  }
}

function plain(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new InvalidFileError(`${name}: ${(error as Error).message}`, { cause: error })
  }
}

function checkSize(document: Document, name: string): void {
  let nodes = 0
  visit(document, () => {
    if (++nodes > maxNodes)
      throw new InvalidFileError(`${name} holds more than ${maxNodes} values: not a recipe`)
  })
}

/** Replaces `${name}` in every text by the variable of that name. */
function withVariables(value: unknown, name: string): unknown {
  const given: unknown = (value as { variables?: unknown }).variables
  const variables = new Map(
    typeof given === "object" && given !== null
      ? Object.entries(given).map(([key, text]) => [key, String(text)])
      : [],
  )
  const fill = (value: unknown): unknown => {
    if (typeof value === "string")
      return value.replace(/\$\{([^}]*)\}/g, (_, key: string) => {
        const text = variables.get(key)
        if (text !== undefined) return text
        throw new InvalidFileError(
          `${name}: nothing is given for \${${key.slice(0, 100)}}: add it under \`variables:\``,
        )
      })
    if (Array.isArray(value)) return value.map(fill)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item)]))
  }
  return fill(value)
}

/** `:line: path: what is wrong`, for each key at fault. */
function explain(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const path = [...issue.path, key]
      return `:${lineOf(document, lines, path)}: ${path.join(".")} is not a key of a recipe: is it misspelt, or in the wrong place?`
    })
  // of the alternatives of a union the one that got furthest says most
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const inner = issue.errors.flatMap((issues) =>
      issues.filter(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
    )
    const deepest = inner.toSorted((a, b) => b.path.length - a.path.length)[0]
    if (deepest && deepest.path.length > 0)
      return explain({ ...deepest, path: [...issue.path, ...deepest.path] }, document, lines)
  }
  const place = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `
  return [`:${lineOf(document, lines, issue.path)}: ${place}${issue.message}`]
}

/** Line of the value at a path, or of what is nearest to it. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown =
      length === 1 ? document.contents : document.getIn(path.slice(0, length - 1) as unknown[], true)
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1])
      if (pair && isScalar(pair.key) && pair.key.range) return lines.linePos(pair.key.range[0]).line
    }
    const node: unknown = document.getIn(path.slice(0, length) as unknown[], true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}
