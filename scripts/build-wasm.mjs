// Builds the WebAssembly programs. The kernels of the backend: four from one source, {relaxed SIMD, plain SIMD} x
// {shared, single memory}, beside the code in dist/. The tokenizer's: as text in a module of src/, because it is
// needed without waiting for a file. Skips what is up to date, by a hash of the sources and options. Runs before tsc.
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { main, version } from "assemblyscript/asc"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const common = [
  "--config=none",
  "--runtime=stub",
  "--noAssert",
  "--use=abort=",
  "--importMemory",
  "--noExportMemory",
]

/** Compiles `entry` to `output`, unless that has been made from the same before; `sources` are all its files. */
async function compile({ entry, sources, options, output }) {
  const stamp = `${output}.hash`
  const contents = sources.map((file) => readFileSync(join(root, file), "utf8"))
  const hash = createHash("sha256")
    .update(JSON.stringify([version, common, options, sources, contents]))
    .digest("hex")
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return
  mkdirSync(dirname(output), { recursive: true })
  let messages = ""
  const stderr = { write: (text) => void (messages += text) }
  const { error } = await main(
    [entry, ...common, ...options, `--baseDir=${root}`, `--outFile=${relative(root, output)}`],
    { stderr },
  )
  if (error) {
    process.stderr.write(`${relative(root, output)}: ${messages}\n${error.message}\n`)
    process.exit(1)
  }
  writeFileSync(stamp, hash)
}

const sourcesIn = (folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".ts"))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => join(folder, file))

const backend = "src/backends/wasm"
const variants = [
  { name: "relaxed-shared", options: ["--enable=relaxed-simd", "--enable=threads", "--sharedMemory"] },
  { name: "plain-shared", options: ["--enable=threads", "--sharedMemory"] },
  { name: "relaxed-single", options: ["--enable=relaxed-simd"] },
  { name: "plain-single", options: [] },
]
for (const { name, options } of variants)
  await compile({
    entry: `${backend}/kernels/main.ts`,
    sources: [`${backend}/opcodes.ts`, ...sourcesIn(`${backend}/kernels`)],
    // -O1: higher levels sink expressions across the hot loops and cost the integer kernels a quarter of their speed.
    options: ["-O1", "--enable=simd", "--maximumMemory=65536", ...options],
    output: join(root, `dist/backends/wasm/kernels-${name}.wasm`),
  })

/** It is compiled on the spot, on a page's main thread too: Chrome takes up to 8 MB there since version 114. */
const mostBytes = 16384
const tokenizer = "src/tokenizer/wasm"
const result = join(root, tokenizer, "program.ts")
const programs = {}
for (const { name, options } of [
  { name: "single", options: [] },
  { name: "shared", options: ["--enable=threads", "--sharedMemory", "--maximumMemory=65536"] },
]) {
  const output = join(root, `build/tokenizer/program-${name}.wasm`)
  await compile({
    entry: `${tokenizer}/kernels/main.ts`,
    sources: sourcesIn(`${tokenizer}/kernels`),
    options: ["-O3", "--shrinkLevel=1", "--enable=simd", ...options],
    output,
  })
  programs[name] = readFileSync(output)
  if (programs[name].length > mostBytes)
    throw new Error(`the tokenizer's program has ${programs[name].length} bytes`)
}
const lines = Object.entries(programs).map(([name, bytes]) => `  ${name}: "${bytes.toString("base64")}",\n`)
const text =
  "// Made by scripts/build-wasm.mjs from kernels/: the program of the byte-level encoder, for a memory of its own and for one\n" +
  `// that threads share.\nexport const programs = {\n${lines.join("")}}\n`
if (!existsSync(result) || readFileSync(result, "utf8") !== text) writeFileSync(result, text)
