// Builds the addon of the native backend with the system's C++ compiler: the kernels once for each instruction set that
// the compiler knows, the addon itself, one library. What is up to date is left alone. Where no compiler is, or where it
// fails, there is no native backend and dist/backends/native/build.json says why; nothing else needs it.
//
//   node scripts/build-native.mjs [--target linux-arm64] [--output FOLDER] [--all] [--require]
//
// For this machine only what its processor runs is built, which halves the time; --all and a target build every set.
import { execFile, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import { include_dir as nodeHeaders } from "node-api-headers"
import { instructionSets, kernelFlags, languageFlags } from "./native-flags.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { values: options } = parseArgs({
  options: {
    target: { type: "string", default: `${process.platform}-${process.arch}` },
    output: { type: "string", default: join(root, "dist/backends/native") },
    all: { type: "boolean", default: false },
    require: { type: "boolean", default: false },
  },
})
const [platform, arch] = options.target.split("-")
const cross = options.target !== `${process.platform}-${process.arch}`

const common = [...languageFlags, "-O3", "-g0", "-fPIC", "-fvisibility=hidden"]
const linkFlags = {
  linux: ["-shared", "-static-libstdc++", "-static-libgcc", "-pthread", "-Wl,--gc-sections"],
  darwin: ["-bundle", "-undefined", "dynamic_lookup"],
}

const run = promisify(execFile)

/** The compiler as a command and its version, or why there is none. */
function findCompiler() {
  if (!instructionSets[arch] || !linkFlags[platform]) {
    return { reason: `the native backend is not built for ${options.target}` }
  }
  const names = cross
    ? ["aarch64-linux-gnu-g++"]
    : process.env.CXX
      ? [process.env.CXX]
      : ["c++", "g++", "clang++"]
  if (cross && options.target !== "linux-arm64")
    return { reason: `no cross compiler is known for ${options.target}` }
  for (const name of names) {
    const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" })
    if (status === 0) return { name, version: stdout.split("\n")[0] }
  }
  return { reason: `no C++ compiler was found when the package was built (tried ${names.join(", ")})` }
}

/** Whether the compiler takes these flags. */
function accepts(compiler, flags) {
  const { status } = spawnSync(compiler, ["-x", "c++", "-fsyntax-only", ...flags, "-"], { input: "" })
  return status === 0
}

/** The instruction sets that the addon's own test finds in this processor. */
function setsOfThisProcessor(compiler, names, folder) {
  const test = join(root, "src/backends/native/addon/processor.cc")
  const program = join(folder, `processor-${process.pid}`)
  const questions = names.map((name) => `if (cria::processorRuns("${name}")) puts("${name}");`).join("\n")
  const source = `#include "${test}"\n#include <stdio.h>\nint main() {\n${questions}\n}\n`
  const { status, stderr } = spawnSync(compiler, ["-std=c++17", "-x", "c++", "-", "-o", program], {
    input: source,
    encoding: "utf8",
  })
  if (status !== 0) throw new Error(stderr)
  const { stdout } = spawnSync(program, { encoding: "utf8" })
  rmSync(program)
  return stdout.split("\n").filter(Boolean)
}

/** The sets to build, by name; found out once for a compiler and a processor. */
function chooseSets(compiler, folder) {
  const known = instructionSets[arch].map(({ name, flags }) => ({
    name,
    flags: flags.split(" ").filter(Boolean),
  }))
  const every = options.all || cross
  const test = readFileSync(join(root, "src/backends/native/addon/processor.cc"), "utf8")
  const memory = join(
    folder,
    `sets-${hashOf(compiler.version, every, cpus()[0]?.model, test, known).slice(0, 16)}.json`,
  )
  if (!existsSync(memory)) {
    mkdirSync(folder, { recursive: true })
    const accepted = known.filter(({ flags }) => accepts(compiler.name, flags)).map(({ name }) => name)
    const sets = every ? accepted : setsOfThisProcessor(compiler.name, accepted, folder)
    writeFileSync(memory, JSON.stringify(sets))
  }
  const chosen = JSON.parse(readFileSync(memory, "utf8"))
  return known.filter(({ name }) => chosen.includes(name))
}

const hashOf = (...parts) => createHash("sha256").update(JSON.stringify(parts)).digest("hex")

function sourcesOf(folder) {
  const names = readdirSync(join(root, folder)).toSorted((a, b) => (a < b ? -1 : 1))
  const headers = names
    .filter((name) => name.endsWith(".h"))
    .map((name) => readFileSync(join(root, folder, name), "utf8"))
  const units = names.filter((name) => name.endsWith(".cc")).map((name) => join(root, folder, name))
  return { units, headers }
}

async function build(compiler) {
  const kernels = sourcesOf("src/backends/native/kernels")
  const addon = sourcesOf("src/backends/native/addon")
  const objects = join(root, "build/native", options.target)
  const sets = chooseSets(compiler, objects)
  const jobs = []
  const add = (set, source, headers, flags) => {
    const contents = readFileSync(source, "utf8")
    const hash = hashOf(compiler.version, flags, headers, contents).slice(0, 32)
    const name = source.slice(source.lastIndexOf("/") + 1).replace(/\.cc$/, "")
    jobs.push({ source, flags, folder: join(objects, set), object: join(objects, set, `${name}-${hash}.o`) })
  }
  for (const { name, flags } of sets) {
    for (const source of kernels.units)
      add(name, source, kernels.headers, [...common, ...kernelFlags, `-DCRIA_ISA=${name}`, ...flags])
  }
  // Packed weights that were kept on disk are read by the same kernels only.
  const layout = hashOf(
    kernels.headers,
    kernels.units.map((source) => readFileSync(source, "utf8")),
  ).slice(0, 16)
  const listed = `-DCRIA_INSTRUCTION_SETS=${sets.map(({ name }) => `X(${name})`).join(" ")}`
  for (const source of addon.units) {
    const flags = [
      ...common,
      listed,
      `-I${nodeHeaders}`,
      `-DCRIA_LAYOUT="${layout}"`,
      "-DNAPI_VERSION=8",
      "-pthread",
    ]
    add("addon", source, [...kernels.headers, ...addon.headers], flags)
  }

  const output = join(options.output, "cria.node")
  const description = join(options.output, "build.json")
  const hash = hashOf(
    jobs.map(({ object }) => object),
    linkFlags[platform],
  )
  if (
    existsSync(output) &&
    existsSync(description) &&
    JSON.parse(readFileSync(description, "utf8")).hash === hash
  )
    return

  const missing = jobs.filter(({ object }) => !existsSync(object))
  const worker = async () => {
    for (let job = missing.pop(); job; job = missing.pop()) {
      mkdirSync(job.folder, { recursive: true })
      const unfinished = `${job.object}.${process.pid}`
      await run(compiler.name, [...job.flags, "-c", job.source, "-o", unfinished], { cwd: root })
      renameSync(unfinished, job.object)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  const current = new Set(jobs.map(({ object }) => object))
  for (const folder of new Set(jobs.map((job) => job.folder))) {
    for (const file of readdirSync(folder)) {
      if (file.endsWith(".o") && !current.has(join(folder, file))) rmSync(join(folder, file))
    }
  }
  mkdirSync(options.output, { recursive: true })
  // A running process may have the old library mapped: a new file takes its place.
  const unfinished = `${output}.${process.pid}`
  await run(compiler.name, [...current, ...linkFlags[platform], "-o", unfinished])
  renameSync(unfinished, output)
  const made = {
    target: options.target,
    compiler: compiler.version,
    instructionSets: sets.map(({ name }) => name),
    hash,
  }
  writeFileSync(description, `${JSON.stringify(made, undefined, 2)}\n`)
}

const compiler = findCompiler()
let reason = compiler.reason
if (!reason) {
  try {
    await build(compiler)
  } catch (error) {
    reason = `the C++ compiler (${compiler.version}) failed: ${error.stderr?.trim().split("\n").slice(0, 20).join("\n") || error.message}`
  }
}
if (reason) {
  mkdirSync(options.output, { recursive: true })
  rmSync(join(options.output, "cria.node"), { force: true })
  writeFileSync(
    join(options.output, "build.json"),
    `${JSON.stringify({ target: options.target, reason }, undefined, 2)}\n`,
  )
  if (options.require) {
    process.stderr.write(`${reason}\n`)
    process.exitCode = 1
  }
}
