// Builds dist/node: the package for Node in a few files, because a start from some 250 small ones, its libraries' among
// them, takes most of the time until a model answers. The entries are those of package.json's condition "node", the
// command line and the engine's thread; what they share lies in chunks, so that a class is one class. Runs after tsc.
import { chmodSync, readFileSync, rmSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, "dist")
const output = join(dist, "node")
const { exports, dependencies, peerDependencies } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
)

const faces = Object.values(exports).filter((face) => face.node)
const entries = {
  ...Object.fromEntries(
    faces.map(({ node, default: source }) => [
      node.match(/\.\/dist\/node\/(.+)\.js$/)[1],
      join(root, source),
    ]),
  ),
  cli: join(dist, "cli/main.js"),
  worker: join(dist, "engine/worker.js"),
}

/** What a bundled module asks for beside its file lies there, not beside the bundle; what is an entry is in the bundle. */
const addresses = {
  name: "addresses",
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(dist + sep)) return undefined
      const here = `new URL(${JSON.stringify(relative(output, path).replaceAll(sep, "/"))}, import.meta.url).href`
      const contents = readFileSync(path, "utf8").replaceAll(
        /(new URL\("(\.[^"]+)", )?import\.meta\.url/g,
        (_, asked, file) => {
          if (!asked) return here
          const entry = Object.keys(entries).find((name) => entries[name] === join(dirname(path), file))
          return entry ? `new URL("./${entry}.js", import.meta.url` : asked + here
        },
      )
      return { contents, loader: "js" }
    })
  },
}

rmSync(output, { recursive: true, force: true })
await build({
  entryPoints: entries,
  outdir: output,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // The one library that is large and used by almost every module; the others are loaded where they are needed.
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== "zod"),
  // Names stay, for the sake of stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  logLevel: "warning",
  plugins: [addresses],
})
chmodSync(join(output, "cli.js"), 0o755)
