// Makes the npm package of the native backend for one platform: a folder with the addon, ready for `npm pack` or
// `npm publish`. The loader (src/backends/native/loader.ts) takes such a package where the addon was not built in place.
//
//   node scripts/package-native.mjs [--target linux-arm64] FOLDER
//
// With --this-processor it holds only the instruction sets of this machine: to try it out.
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: "string", default: `${process.platform}-${process.arch}` },
    "this-processor": { type: "boolean", default: false },
  },
})
if (positionals.length !== 1) {
  process.stderr.write("usage: node scripts/package-native.mjs [--target linux-arm64] FOLDER\n")
  process.exit(2)
}
const folder = resolve(positionals[0])
mkdirSync(folder, { recursive: true })
const build = join(root, "scripts/build-native.mjs")
const { status } = spawnSync(
  process.execPath,
  [
    build,
    "--target",
    values.target,
    "--output",
    folder,
    "--require",
    ...(values["this-processor"] ? [] : ["--all"]),
  ],
  { stdio: "inherit" },
)
if (status !== 0) process.exit(status ?? 1)

const [os, cpu] = values.target.split("-")
const { version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const manifest = {
  name: `@cria/native-${values.target}`,
  version,
  description: `The native backend of Cria for ${values.target}.`,
  license,
  os: [os],
  cpu: [cpu],
  ...(os === "linux" ? { libc: ["glibc"] } : {}),
  main: "cria.node",
  files: ["cria.node", "build.json"],
}
writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`)
copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"))
process.stdout.write(`${manifest.name} ${version} in ${folder}\n`)
