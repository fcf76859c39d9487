// Builds dist/browser/worker-text.js: the worker of pages with its threads and kernels as the text of one module, for
// bundlers that do not ship workers and for pages that load the package from another origin. Runs after tsc and
// build-wasm.
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), "dist")

async function bundle(entry, plugins = []) {
  const { outputFiles } = await build({
    entryPoints: [join(dist, entry)],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    plugins,
  })
  return outputFiles[0].text
}

const thread = await bundle("backends/wasm/thread.js")

/** Puts what lies beside a file in the place of its address: a kernel as data, the thread's code as a Blob. */
const inline = {
  name: "inline",
  setup({ onLoad }) {
    onLoad({ filter: /backends[\\/]wasm[\\/](features|threads)\.js$/ }, ({ path }) => {
      let replaced = 0
      const contents = readFileSync(path, "utf8").replace(
        /new URL\("\.\/([\w.-]+)", import\.meta\.url\)/g,
        (_, name) => {
          replaced++
          if (!name.endsWith(".wasm"))
            return `URL.createObjectURL(new Blob([${JSON.stringify(thread)}], { type: "text/javascript" }))`
          const bytes = readFileSync(join(dirname(path), name)).toString("base64")
          return `new URL("data:application/wasm;base64,${bytes}")`
        },
      )
      if (replaced === 0) throw new Error(`${path} names nothing beside it any more: look at this script`)
      return { contents, loader: "js" }
    })
  },
}

const worker = await bundle("browser/worker.js", [inline])
const head = "// Made by scripts/build-browser.mjs.\n"
writeFileSync(
  join(dist, "browser/worker-text.js"),
  `${head}export const workerText = ${JSON.stringify(worker)}\n`,
)
