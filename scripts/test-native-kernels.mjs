// Builds the kernels of one instruction set with their tests (src/backends/native/kernels/test) and runs them: on this
// processor under sanitizers, AVX-512 through SIMDe, ARM through qemu. Exit status 77: not possible here, and why.
//
//   node scripts/test-native-kernels.mjs --list
//   node scripts/test-native-kernels.mjs avx2-address [beginning of a case's name ...]
import { execFile, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { instructionSets, kernelFlags, languageFlags } from "./native-flags.mjs"

const folder = fileURLToPath(new URL("../src/backends/native/kernels", import.meta.url))
const objects = fileURLToPath(new URL("../build/native-test", import.meta.url))

/** The sources that differ between sets that are alike in all others. */
const integerOnly = ["linear-int.cc", "pack-int.cc", "quantize.cc", "test/main.cc", "test/integer.cc"]
const emulated = (...features) => ({
  arch: "x64",
  emulated: true,
  // Unoptimized: SIMDe's code is large, and its compilation would take longer than all tests.
  flags: ["-O0", "-Wno-psabi", `-I${join(folder, "test/emulated")}`, ...features.map((f) => `-D__${f}__`)],
})
const avx512 = ["AVX512F", "AVX512BW", "AVX512VL", "AVX512DQ"]
const arm = { arch: "arm64", flags: ["-O1"] }

const variants = {
  "avx2-address": {
    set: "avx2",
    arch: "x64",
    flags: ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
  },
  "avx2-thread": { set: "avx2", arch: "x64", flags: ["-O1", "-g", "-fsanitize=thread"] },
  scalar: { set: "scalar", arch: "x64", flags: ["-O2"] },
  avx512: { set: "avx512", ...emulated(...avx512) },
  avx512vnni: { set: "avx512vnni", sources: integerOnly, ...emulated(...avx512, "AVX512VNNI") },
  avxvnni: { set: "avxvnni", sources: integerOnly, ...emulated("AVX2", "FMA", "F16C", "AVXVNNI") },
  neon: { set: "neon", ...arm },
  dotprod: { set: "dotprod", sources: integerOnly, ...arm },
  i8mm: { set: "i8mm", sources: integerOnly, ...arm },
}

const works = (command, args, input) => spawnSync(command, args, { input, encoding: "utf8" }).status === 0

/** How to compile and start a variant here, or why that cannot be. */
function toolsOf(variant) {
  if (process.platform !== "linux") return { reason: "the kernel tests are for Linux" }
  if (variant.arch === "arm64" && process.arch !== "arm64") {
    const compiler = "aarch64-linux-gnu-g++"
    if (!works(compiler, ["--version"])) return { reason: `no ${compiler} (Debian: g++-aarch64-linux-gnu)` }
    const emulator = ["qemu-aarch64", "qemu-aarch64-static"].find((name) => works(name, ["--version"]))
    return emulator
      ? { compiler, link: ["-static"], start: [emulator, "-cpu", "max"] }
      : { reason: "no qemu-aarch64 (Debian: qemu-user)" }
  }
  if (variant.arch !== process.arch) return { reason: `a processor of ${process.arch}` }
  const compiler = process.env.CXX ?? "c++"
  if (!works(compiler, ["--version"])) return { reason: "no C++ compiler" }
  if (
    variant.emulated &&
    !works(compiler, ["-fsyntax-only", "-x", "c++", "-include", "simde/x86/avx512.h", "-"])
  ) {
    return { reason: "no SIMDe (Debian: libsimde-dev)" }
  }
  const needed = variant.set === "avx2" ? ["avx2", "fma", "f16c"] : []
  const features =
    readFileSync("/proc/cpuinfo", "utf8")
      .match(/^flags.*$/m)?.[0]
      .split(/\s+/) ?? []
  const missing = needed.filter((feature) => !features.includes(feature))
  if (missing.length > 0) return { reason: `a processor without ${missing.join(", ")}` }
  return { compiler, link: [], start: [] }
}

const run = promisify(execFile)

async function build(name, variant, { compiler, link }) {
  const set = instructionSets[variant.arch].find((candidate) => candidate.name === variant.set)
  const inFolder = (sub, end) =>
    readdirSync(join(folder, sub))
      .filter((file) => file.endsWith(end))
      .map((file) => join(sub, file))
  const headers = [...inFolder("", ".h"), ...inFolder("test", ".h"), ...inFolder("test/emulated", ".h")]
  const sources = variant.sources ?? [...inFolder("", ".cc"), ...inFolder("test", ".cc")]
  const flags = [
    ...languageFlags,
    `-DCRIA_ISA=${set.name}`,
    ...variant.flags,
    ...(variant.emulated ? [] : set.flags.split(" ").filter(Boolean)),
    "-pthread",
  ]
  const common = createHash("sha256").update(JSON.stringify([compiler, flags]))
  for (const header of headers) common.update(readFileSync(join(folder, header)))
  const jobs = sources.map((source) => {
    const hash = common
      .copy()
      .update(readFileSync(join(folder, source)))
      .digest("hex")
      .slice(0, 32)
    const own = source.startsWith("test/") ? [] : kernelFlags
    const object = join(objects, name, `${basename(source, ".cc")}-${hash}.o`)
    return { source: join(folder, source), object, flags: [...flags, ...own] }
  })
  mkdirSync(join(objects, name), { recursive: true })
  const missing = jobs.filter(({ object }) => !existsSync(object))
  const worker = async () => {
    for (let job = missing.pop(); job; job = missing.pop()) {
      const unfinished = `${job.object}.${process.pid}`
      await run(compiler, [...job.flags, "-c", job.source, "-o", unfinished])
      renameSync(unfinished, job.object)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  const program = join(objects, name, "test")
  await run(compiler, [
    ...flags,
    ...link,
    ...jobs.map(({ object }) => object),
    "-o",
    `${program}.${process.pid}`,
  ])
  renameSync(`${program}.${process.pid}`, program)
  return program
}

const [name, ...cases] = process.argv.slice(2)
const variant = variants[name]
if (name === "--list") {
  process.stdout.write(`${Object.keys(variants).join("\n")}\n`)
} else if (!variant) {
  process.stderr.write(
    `usage: node scripts/test-native-kernels.mjs ${Object.keys(variants).join("|")} [case ...]\n`,
  )
  process.exitCode = 2
} else {
  const tools = toolsOf(variant)
  if (tools.reason) {
    process.stdout.write(`${tools.reason}\n`)
    process.exitCode = 77
  } else {
    const program = await build(name, variant, tools)
    const [command, ...args] = [...tools.start, program, ...cases]
    process.exitCode = spawnSync(command, args, { stdio: "inherit" }).status ?? 1
  }
}
