// The house rules: which folder of src/ may import which, and no cycles between files.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"

/** Folder -> the folders it may import. Arrows point down only; `errors` is open to all. */
const allowed: Record<string, readonly string[]> = {
  errors: [],
  platform: [],
  tensor: [],
  weights: [],
  formats: ["weights"],
  tokenizer: [],
  constraints: ["tokenizer"],
  chat: ["tokenizer"],
  ops: ["tensor", "weights"],
  backends: ["tensor", "ops", "weights", "platform"],
  data: ["formats", "tokenizer", "chat"],
  model: ["tensor", "ops", "backends", "weights", "formats", "tokenizer"],
  autograd: ["tensor", "ops", "backends"],
  adapters: ["tensor", "ops", "backends", "weights", "formats", "model"],
  train: [
    "tensor",
    "ops",
    "backends",
    "weights",
    "formats",
    "tokenizer",
    "chat",
    "data",
    "model",
    "autograd",
    "adapters",
    "engine",
    "energy",
    "card",
  ],
  compress: ["tensor", "ops", "backends", "weights", "formats", "tokenizer", "data", "model"],
  energy: ["formats"],
  card: ["energy", "formats", "model"],
  eval: ["ops", "backends", "tokenizer", "model", "formats"],
  hub: ["platform"],
  engine: [
    "tensor",
    "ops",
    "backends",
    "weights",
    "formats",
    "tokenizer",
    "chat",
    "constraints",
    "model",
    "adapters",
    "hub",
    "platform",
    "adapters",
  ],
  browser: ["engine", "formats", "platform", "chat", "model", "weights"],
  server: ["engine", "chat", "tokenizer", "model", "platform"],
  "ai-sdk": ["engine", "chat"],
  cli: [
    "engine",
    "train",
    "server",
    "eval",
    "compress",
    "energy",
    "card",
    "data",
    "platform",
    "chat",
    "tokenizer",
    "formats",
    "weights",
    "model",
    "hub",
    "backends",
    "tensor",
    "ops",
  ],
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../src")
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.includes("wasm/kernels/"))
  .map((file) => join(root, file))

/** Relative import specifiers of a source file, type-only ones marked: they vanish at run time. */
function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  const source = readFileSync(file, "utf8")
  const pattern =
    /^\s*(?:import|export)\s+(type\s+)?[^"';]*?from\s+"(\.[^"]+)"|^\s*import\s+"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"\s*\)|new URL\(\s*"(\.[^"]+\.js)"/gm
  return [...source.matchAll(pattern)].map((match) => ({
    target: resolve(dirname(file), (match[2] ?? match[3] ?? match[4] ?? match[5]).replace(/\.js$/, ".ts")),
    typeOnly: match[1] !== undefined,
  }))
}

const folderOf = (file: string) => {
  const parts = relative(root, file).split("/")
  return parts.length > 1 ? parts[0] : undefined
}

test("a folder imports only what lies below it", () => {
  const wrong: string[] = []
  for (const file of files) {
    const from = folderOf(file)
    if (from === undefined) continue // src/index.ts is the roof: it may see everything
    if (!(from in allowed)) wrong.push(`${from}/ has no row in the table of allowed imports`)
    for (const { target } of importsOf(file)) {
      const to = folderOf(target)
      if (to === from || to === "errors") continue
      if (to === undefined || !allowed[from]?.includes(to))
        wrong.push(`${relative(root, file)} -> ${relative(root, target)}`)
    }
  }
  expect(wrong).toEqual([])
})

test("every relative import names a file that exists", () => {
  const declared = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".d.ts"),
  )
  const known = new Set([...files, ...declared.map((file) => join(root, file.replace(/\.d\.ts$/, ".ts")))])
  const missing = files.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => !known.has(target))
      .map(({ target }) => `${relative(root, file)} -> ${relative(root, target)}`),
  )
  expect(missing).toEqual([])
})

test("no cycles between files", () => {
  const edges = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((edge) => !edge.typeOnly)
        .map((edge) => edge.target),
    ]),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: string[]): void => {
    if (done.has(file)) return
    const at = path.indexOf(file)
    if (at >= 0) {
      cycles.push([...path.slice(at), file].map((step) => relative(root, step)).join(" -> "))
      return
    }
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  expect(cycles).toEqual([])
})
