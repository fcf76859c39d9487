// The package in three bundlers as a stranger uses it: `import { Llama } from "cria"` and nothing configured. What
// comes out runs in a browser.
import { existsSync } from "node:fs"
import { copyFile, readdir, readFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Browser } from "playwright-core"
import { createServer } from "vite"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type App, bundlers, makeApp } from "./bundlers.js"
import { launchBrowser, noBrowser } from "./chromium.js"
import { serveFolders } from "./web-server.js"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const stories = join(root, "../shared/reference/stories260K")
const expected = "Once upon a time, there was a little girl named Lily."

const main = `
import { Llama } from "cria"
window.write = async (url) => {
  const llama = await Llama.load(url)
  const text = await llama.generate("Once upon a time", { temperature: 0, maxTokens: 12 }).text()
  const { info } = llama
  await llama.dispose()
  return { text, info }
}
`

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
      await page.waitForFunction(() => "write" in window)
      const { text, info } = await page.evaluate(
        (url) =>
          (
            window as unknown as {
              write(url: string): Promise<{ text: string; info: { threads: number; backendName: string } }>
            }
          ).write(url),
        `${server.origin}/models/stories260K.bin`,
      )
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

test("Vite's development server, which bundles packages beforehand without their workers", async (context) => {
  if (noBrowser) context.skip(noBrowser)
  if (!existsSync(stories)) context.skip("no ../shared/reference/stories260K")
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
    await page.waitForFunction(() => "write" in window)
    const { text } = await page.evaluate(() =>
      (window as unknown as { write(url: string): Promise<{ text: string }> }).write("stories260K.bin"),
    )
    expect(`Once upon a time${text}`).toContain(expected.slice(0, 40))
  } finally {
    await page.close()
    await server.close()
  }
})
