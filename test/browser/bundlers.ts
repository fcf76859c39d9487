// A tiny app of a stranger: a folder with its own node_modules, bundled without any configuration for Cria.
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build as esbuild, type Loader } from "esbuild"
import { build as vite } from "vite"
import webpack from "webpack"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface App {
  readonly folder: string
  remove(): Promise<void>
}

/**
 * `files`: main.js and what it imports. The package is linked, or copied as npm would install it, because bundlers treat
 * the two differently.
 */
export async function makeApp(files: Record<string, string>, { copied = false } = {}): Promise<App> {
  const folder = await mkdtemp(join(tmpdir(), "cria-app-"))
  const installed = join(folder, "node_modules/cria")
  await mkdir(join(folder, "node_modules"))
  if (copied) {
    for (const part of ["package.json", "dist", "models"])
      await cp(join(root, part), join(installed, part), { recursive: true })
    const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
      dependencies: Record<string, string>
    }
    for (const name of Object.keys(dependencies)) {
      await mkdir(dirname(join(folder, "node_modules", name)), { recursive: true })
      await symlink(join(root, "node_modules", name), join(folder, "node_modules", name))
    }
  } else await symlink(root, installed)
  await writeFile(join(folder, "package.json"), '{ "name": "app", "private": true, "type": "module" }')
  await writeFile(
    join(folder, "index.html"),
    '<!doctype html><title>app</title><script type="module" src="./main.js"></script>',
  )
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** Each bundles main.js; the page to open is index.html in the folder that comes back. */
export const bundlers = {
  async vite({ folder }: App): Promise<string> {
    const outDir = join(folder, "out-vite")
    await vite({
      root: folder,
      base: "./",
      logLevel: "error",
      configFile: false,
      build: { outDir, minify: false },
    })
    return outDir
  },

  async webpack({ folder }: App): Promise<string> {
    const path = join(folder, "out-webpack")
    const compiler = webpack({
      mode: "production",
      context: folder,
      entry: "./main.js",
      output: { path, filename: "main.js" },
      performance: false,
      optimization: { minimize: false },
    })
    const stats = await new Promise<webpack.Stats>((resolve, reject) => {
      compiler.run((error, result) =>
        error || !result ? reject(error ?? new Error("no result")) : resolve(result),
      )
    })
    await new Promise((resolve) => compiler.close(resolve))
    if (stats.hasErrors() || stats.hasWarnings())
      throw new Error(stats.toString({ all: false, errors: true, warnings: true }))
    await writeIndex(path)
    return path
  },

  async esbuild({ folder }: App, loader: Record<string, Loader> = {}): Promise<string> {
    const outdir = join(folder, "out-esbuild")
    await esbuild({
      absWorkingDir: folder,
      entryPoints: ["main.js"],
      bundle: true,
      format: "esm",
      minify: true,
      loader,
      outdir,
      logLevel: "error",
    })
    await writeIndex(outdir)
    return outdir
  },
} as const

const writeIndex = (folder: string): Promise<void> =>
  writeFile(
    join(folder, "index.html"),
    '<!doctype html><title>app</title><script type="module" src="./main.js"></script>',
  )
