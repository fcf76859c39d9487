// Builds the kernels: four programs from one source, {relaxed SIMD, plain SIMD} x {shared, single memory}.
// Skips what is up to date, by a hash of the sources and options.
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { main, version } from "assemblyscript/asc"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, "src/backends/wasm")
const target = join(root, "dist/backends/wasm")

// -O1: higher levels sink expressions across the hot loops and cost the integer kernels a quarter of their speed.
const common = [
  "src/backends/wasm/kernels/main.ts",
  "--config=none",
  "-O1",
  "--runtime=stub",
  "--noAssert",
  "--use=abort=",
  "--importMemory",
  "--noExportMemory",
  "--maximumMemory=65536",
  "--enable=simd",
]
const variants = [
  { name: "relaxed-shared", options: ["--enable=relaxed-simd", "--enable=threads", "--sharedMemory"] },
  { name: "plain-shared", options: ["--enable=threads", "--sharedMemory"] },
  { name: "relaxed-single", options: ["--enable=relaxed-simd"] },
  { name: "plain-single", options: [] },
]

const files = ["opcodes.ts", ...readdirSync(join(source, "kernels")).map((file) => join("kernels", file))]
  .filter((file) => file.endsWith(".ts"))
  .toSorted((a, b) => (a < b ? -1 : 1))
const contents = files.map((file) => readFileSync(join(source, file), "utf8"))
mkdirSync(target, { recursive: true })

for (const { name, options } of variants) {
  const output = join(target, `kernels-${name}.wasm`)
  const stamp = `${output}.hash`
  const hash = createHash("sha256")
    .update(JSON.stringify([version, common, options, files, contents]))
    .digest("hex")
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) continue
  let messages = ""
  const stderr = { write: (text) => void (messages += text) }
  const { error } = await main(
    [...common, ...options, `--baseDir=${root}`, `--outFile=${relative(root, output)}`],
    { stderr },
  )
  if (error) {
    process.stderr.write(`kernels-${name}: ${messages}\n${error.message}\n`)
    process.exit(1)
  }
  writeFileSync(stamp, hash)
}
