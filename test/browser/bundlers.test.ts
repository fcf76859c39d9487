// The package in three bundlers as a stranger uses it: `import { Llama } from "cria"` and nothing configured. What
// comes out runs in a browser.
import { existsSync } from "node:fs"
import { copyFile, readdir, readFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Llama } from "cria"
import type { Browser, Page } from "playwright-core"
import { createServer } from "vite"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type App, bundlers, makeApp } from "./bundlers.js"
import { launchBrowser, noBrowser } from "./chromium.js"
import { serveFolders } from "./web-server.js"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const stories = join(root, "../shared/reference/stories260K")
const expected = "Once upon a time, there was a little girl named Lily."

/** Without an address it is the demonstration model of the package. */
const writing = `
window.write = async (url) => {
  const llama = await Llama.load(url ?? demo)
  const text = await llama.generate("Once upon a time", { temperature: 0, maxTokens: 12 }).text()
  const { info } = llama
  await llama.dispose()
  return { text, info }
}
`
const main = `
import { Llama } from "cria"
const demo = undefined
${writing}`
const mainWithAsset = `
import { Llama } from "cria"
import file from "cria/models/default/cria-demo.gguf"
const demo = new URL(file, import.meta.url)
${writing}`

interface Written {
  readonly text: string
  readonly info: { readonly threads: number; readonly backendName: string }
}

const written = async (page: Page, url?: string): Promise<Written> => {
  await page.waitForFunction(() => "write" in window)
  return page.evaluate(
    (url) => (window as unknown as { write(url?: string): Promise<Written> }).write(url),
    url,
  )
}

let app: App
let browser: Browser | undefined
beforeAll(async () => {
  app = await makeApp({ "main.js": main })
  browser = noBrowser ? undefined : await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await app.remove()
})

describe.each(Object.entries(bundlers))("%s", (name, bundle) => {
  let out: string
  let files: string[]
  beforeAll(async () => {
    out = await bundle(app)
    files = await readdir(out, { recursive: true })
  }, 60_000)

  test("nothing of Node is in the bundle", async () => {
    const scripts = files.filter((file) => file.endsWith(".js"))
    expect(scripts.length).toBeGreaterThan(0)
    for (const file of scripts) {
      const text = await readFile(join(out, file), "utf8")
      expect(text).not.toMatch(/(?:from|import|require)\s*\(?\s*["']node:/)
      expect(text).not.toContain("__vite-browser-external")
    }
  })

  test("the worker and the kernels are files of their own", (context) => {
    if (name === "esbuild") context.skip("esbuild ships no workers: there the text in the bundle starts them")
    expect(files.filter((file) => file.endsWith(".wasm")).length).toBe(4)
    // the page, the worker, its threads, and the text that stands in for them
    expect(files.filter((file) => file.endsWith(".js")).length).toBeGreaterThanOrEqual(4)
  })

  test.for([true, false])("it writes a story; isolated: %s", async (isolated, context) => {
    if (noBrowser) context.skip(noBrowser)
    if (!existsSync(stories)) context.skip("no ../shared/reference/stories260K")
    const server = await serveFolders({ app: out, models: stories }, { isolated })
    const page = await browser!.newPage()
    const problems: string[] = []
    page.on("pageerror", (error) => problems.push(String(error)))
    try {
      await page.goto(`${server.origin}/app/`)
      const { text, info } = await written(page, `${server.origin}/models/stories260K.bin`)
      expect(`Once upon a time${text}`).toContain(expected.slice(0, 40))
      expect(info.backendName).toBe("wasm")
      if (!isolated) expect(info.threads).toBe(1)
      expect(problems).toEqual([])
      // a file that was asked for and not found is a configuration somebody would have to make
      const missing = server.requests.filter(({ path }) => path.startsWith("/app/") && path.endsWith(".wasm"))
      if (name !== "esbuild") expect(missing.length).toBeGreaterThan(0)
    } finally {
      await page.close()
      await server.close()
    }
  })
})

test.for(["vite", "webpack", "esbuild"] as const)(
  "the demonstration model is shipped, and answers: %s",
  async (name, context) => {
    if (noBrowser) context.skip(noBrowser)
    // esbuild ships a file only where it is imported, and is told how
    const own = name === "esbuild" ? await makeApp({ "main.js": mainWithAsset }) : app
    const out = await (name === "esbuild" ? bundlers.esbuild(own, { ".gguf": "file" }) : bundlers[name](own))
    expect((await readdir(out, { recursive: true })).filter((file) => file.endsWith(".gguf"))).toHaveLength(1)
    const server = await serveFolders({ app: out }, { isolated: true })
    const page = await browser!.newPage()
    try {
      await page.goto(`${server.origin}/app/`)
      const { text } = await written(page)
      const here = await Llama.load("default", { backend: "wasm" })
      expect(text).toBe(await here.generate("Once upon a time", { temperature: 0, maxTokens: 12 }).text())
      await here.dispose()
    } finally {
      await page.close()
      await server.close()
      if (own !== app) await own.remove()
    }
  },
)

test("Vite's development server, which bundles packages beforehand without their workers", async (context) => {
  if (noBrowser) context.skip(noBrowser)
  if (!existsSync(stories)) context.skip("no ../shared/reference/stories260K")
  const app = await makeApp({ "main.js": main }, { copied: true })
  for (const file of ["stories260K.bin", "tok512.bin"])
    await copyFile(join(stories, file), join(app.folder, file))
  const server = await createServer({
    root: app.folder,
    configFile: false,
    logLevel: "silent",
    cacheDir: join(app.folder, ".vite"),
    server: { port: 0, host: "localhost" },
  })
  const page = await browser!.newPage()
  try {
    await server.listen()
    const { port } = server.httpServer!.address() as AddressInfo
    await page.goto(`http://localhost:${port}/`)
    const { text } = await written(page, "stories260K.bin")
    expect(`Once upon a time${text}`).toContain(expected.slice(0, 40))
    expect((await written(page)).text.length).toBeGreaterThan(0) // the demonstration model
  } finally {
    await page.close()
    await server.close()
    await app.remove()
  }
})
