// Llama in Chromium: the kernels against the plain loops, the model against transformers, stories from files and
// servers, models kept in the browser; with threads and without.
import { existsSync } from "node:fs"
import { createHash } from "node:crypto"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Llama } from "cria"
import type * as Cria from "cria/browser"
import { openSafetensors } from "#cria/formats/index"
import { fileSource } from "#cria/formats/node"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest"
import { makeChatModel } from "../cli/chat-model.js"
import { closeTo } from "../contract/random.js"
import { type App, bundlers, makeApp } from "./bundlers.js"
import { launchBrowser, noBrowser } from "./chromium.js"
import { serveFolders, type WebServer } from "./web-server.js"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const stories = join(root, "../shared/reference/stories260K")
const story = { temperature: 0, maxTokens: 40 }

/** What main.js puts on the page. */
declare global {
  interface Window {
    cria: typeof Cria
    contract(): Promise<{ threads: number; differences: Record<string, number> }>
  }
}

const main = `
import * as cria from "cria"
window.cria = cria
window.contract = () => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./contract.js", import.meta.url), { type: "module" })
  worker.onmessage = ({ data }) => resolve(data)
  worker.onerror = (event) => reject(new Error(event.message))
})
`

// Largest difference from the reference backend, relative to its largest value.
const contract = `
import { createBackend } from "cria/backends"
import { encodeRows, rowBytes, weightKinds } from "cria/weights"

let seed = 1
const random = (count) => Float32Array.from({ length: count }, () => {
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 1073741824 - 1
})
let reference, wasm
const differences = {}
async function compare(name, work) {
  const at = seed
  const values = []
  for (const backend of [reference, wasm]) {
    seed = at
    const scope = backend.scope()
    values.push(await backend.read(work(backend)))
    scope.end()
  }
  const largest = values[0].reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  differences[name] = values[0].reduce((most, value, i) => Math.max(most, Math.abs(value - values[1][i])), 0) / largest
}
const weightOf = (backend, kind, rows, columns) => {
  const bytes = new Uint8Array(rows * rowBytes(kind, columns))
  encodeRows(kind, random(rows * columns), columns, bytes)
  const writer = backend.createWeight(kind, rows, columns)
  writer.write(bytes)
  return writer.finish()
}
async function run() {
  reference = await createBackend("reference")
  wasm = await createBackend("wasm", { threads: 3 })
  for (const kind of weightKinds)
    await compare("linear " + kind, (b) => b.linear(b.tensor(random(5 * 96), [5, 96]), weightOf(b, kind, 131, 96)))
  await compare("embedding", (b) => b.embedding(weightOf(b, "f16", 20, 64), Int32Array.of(3, 19, 0)))
  await compare("rmsNorm", (b) => b.rmsNorm(b.tensor(random(7 * 172), [7, 172]), b.tensor(random(172), [172]), 1e-5))
  await compare("swiGlu", (b) => b.swiGlu(b.tensor(random(700), [7, 100]), b.tensor(random(700), [7, 100])))
  await compare("attention", (b) => b.attention(
    b.tensor(random(9 * 64), [9, 64]), b.tensor(random(9 * 32), [9, 32]), b.tensor(random(9 * 32), [9, 32]),
    [{ first: 0, length: 9, cached: 0, pages: new Int32Array(0) }], 16))
  const { threads } = wasm
  await wasm.dispose()
  postMessage({ threads, differences })
}
void run()
`

let app: App
let out: string
let browser: Browser
let models: string
let text: string | undefined
beforeAll(async () => {
  if (noBrowser) return
  app = await makeApp({ "main.js": main, "contract.js": contract })
  out = await bundlers.vite(app)
  browser = await launchBrowser()
  models = await makeChatModel(await mkdtemp(join(tmpdir(), "cria-chat-")))
  if (!existsSync(stories)) return
  await using llama = await Llama.load(join(stories, "stories260K.bin"))
  text = await llama.generate("Once upon a time", story).text()
}, 60_000)
afterAll(async () => {
  await browser?.close()
  await app?.remove()
  if (models) await rm(models, { recursive: true })
})

function needBrowser(context: TestContext): void {
  if (noBrowser) context.skip(noBrowser)
}
function needStories(context: TestContext): void {
  needBrowser(context)
  if (text === undefined) context.skip("no ../shared/reference/stories260K")
}

describe.each([{ isolated: true }, { isolated: false }])("isolated: $isolated", ({ isolated }) => {
  let server: WebServer
  let session: BrowserContext
  let page: Page
  beforeAll(async () => {
    if (noBrowser) return
    server = await serveFolders({ app: out, stories, chat: models }, { isolated })
    session = await browser.newContext()
    page = await session.newPage()
    await page.goto(`${server.origin}/app/`)
    await page.waitForFunction(() => "cria" in window)
  }, 30_000)
  afterAll(async () => {
    await session?.close()
    await server?.close()
  })

  test("the kernels do what the plain loops do", async (context) => {
    needBrowser(context)
    const { threads, differences } = await page.evaluate(() => window.contract())
    expect(threads).toBe(isolated ? 3 : 1)
    expect(Object.keys(differences).length).toBeGreaterThan(9)
    for (const [name, difference] of Object.entries(differences))
      expect(difference, name).toBeLessThan(name.includes("int") ? 2e-3 : 1e-5)
  })

  test("logits of transformers, from a folder of safetensors on a server", async (context) => {
    needBrowser(context)
    const golden = await openSafetensors(
      await fileSource(join(root, "test/goldens/tiny-llama/golden.safetensors")),
    )
    const read = async (name: string) => {
      const bytes = new Uint8Array(golden.tensors.get(name)!.byteLength)
      await golden.read(name, 0, bytes)
      return bytes.buffer
    }
    const ids = [...new Int32Array(await read("prompt.ids"))]
    const expected = new Float32Array(await read("prompt.logits"))
    await golden.close()
    const actual = await page.evaluate(
      async ({ url, ids }) => {
        const llama = await window.cria.Llama.load(url)
        const logits = await llama.logits(ids)
        await llama.dispose()
        return [...logits]
      },
      { url: `${server.origin}/chat/`, ids },
    )
    closeTo(Float32Array.from(actual), expected, 2e-4 / 15)
  })

  test("a story from a URL", async (context) => {
    needStories(context)
    const { answer, info } = await page.evaluate(
      async ({ url, story }) => {
        const stages: string[] = []
        const llama = await window.cria.Llama.load(url, { onProgress: ({ stage }) => stages.push(stage) })
        const answer = await llama.generate("Once upon a time", story).text()
        const { info } = llama
        await llama.dispose()
        return { answer, info, stages }
      },
      { url: `${server.origin}/stories/stories260K.bin`, story },
    )
    expect(answer).toBe(text)
    expect(info.backendName).toBe("wasm")
    expect(info.threads > 1).toBe(isolated && (await page.evaluate(() => navigator.hardwareConcurrency)) > 1)
  })

  test("a story from files of the user", async (context) => {
    needStories(context)
    await page.setContent('<input type="file" multiple>')
    const input = page.locator("input")
    await input.setInputFiles([join(stories, "stories260K.bin"), join(stories, "tok512.bin")])
    const answer = await input.evaluate(async (element, story) => {
      const llama = await window.cria.Llama.load((element as HTMLInputElement).files!)
      const answer = await llama.generate("Once upon a time", story).text()
      await llama.dispose()
      return answer
    }, story)
    expect(answer).toBe(text)
  })

  test("an abort ends an answer and nothing else, a dispose ends all", async (context) => {
    needBrowser(context)
    const seen = await page.evaluate(async (url) => {
      const llama = await window.cria.Llama.load(url)
      const nameOf = (work: Promise<unknown>) =>
        work.then(
          () => "no error",
          (error: unknown) => (error as Error).name,
        )
      const controller = new AbortController()
      const long = llama.generate("the", { ignoreEos: true, maxTokens: 4000, signal: controller.signal })
      const aborted = nameOf(long.text())
      setTimeout(() => controller.abort(), 100)
      const first = await aborted
      const again = await llama.generate("the", { ignoreEos: true, maxTokens: 5 }).result()
      const running = nameOf(llama.generate("the", { ignoreEos: true, maxTokens: 4000 }).text())
      await new Promise((resolve) => setTimeout(resolve, 50))
      await llama.dispose()
      return {
        first,
        tokens: again[0].usage.completionTokens,
        running: await running,
        later: await nameOf(llama.generate("the").text()),
      }
    }, `${server.origin}/chat/`)
    expect(seen).toEqual({ first: "AbortError", tokens: 5, running: "DisposedError", later: "DisposedError" })
  })

  test("what cannot be loaded is said", async (context) => {
    needBrowser(context)
    const codes = await page.evaluate(async (origin) => {
      const { Llama, CriaError } = window.cria
      const codeOf = (work: Promise<unknown>) =>
        work.then(
          () => "no error",
          (error: unknown) => (error instanceof CriaError ? error.code : String(error)),
        )
      return Promise.all([
        codeOf(Llama.load(`${origin}/chat/nothing.gguf`)),
        codeOf(Llama.load(`${origin}/chat/tokenizer.json`)),
        codeOf(Llama.load(`${origin}/app/`)),
        codeOf(Llama.load("http://127.0.0.1:9/model.gguf")),
        codeOf(Llama.load("ftp://localhost/model.gguf")),
        codeOf(Llama.load(new File(["no model"], "model.gguf"))),
        codeOf(Llama.load([])),
        codeOf(Llama.load("opfs:nothing")),
      ])
    }, server.origin)
    expect(codes).toEqual([
      "model_not_found",
      "model_not_found",
      "model_not_found",
      "hub",
      "invalid_option",
      "invalid_file",
      "invalid_option",
      "model_not_found",
    ])
  })
})

describe("models kept in the browser", () => {
  let server: WebServer
  let session: BrowserContext
  let page: Page
  beforeAll(async () => {
    if (noBrowser) return
    const weights = join(models, "model.safetensors")
    server = await serveFolders({ app: out, stories, chat: models, weights }, { isolated: true })
    session = await browser.newContext()
    page = await session.newPage()
    await page.goto(`${server.origin}/app/`)
    await page.waitForFunction(() => "cria" in window)
  }, 30_000)
  afterAll(async () => {
    await session?.close()
    await server?.close()
  })

  test("a download goes on where it broke off, and the model loads without the server", async (context) => {
    needBrowser(context)
    server.breakAfter = 500_000
    const weights = await readFile(join(models, "model.safetensors"))
    const kept = await page.evaluate(async (url) => {
      const store = await window.cria.ModelStore.open()
      const seen: number[] = []
      const model = await store.download(url, { name: "tiny", onProgress: ({ loaded }) => seen.push(loaded) })
      return {
        model,
        rising: seen.every((value, i) => i === 0 || value >= seen[i - 1]),
        list: await store.list(),
      }
    }, `${server.origin}/chat/`)
    server.breakAfter = undefined
    expect(kept.model.complete).toBe(true)
    expect(kept.model.files).toContain("model.safetensors")
    expect(kept.rising).toBe(true)
    expect(kept.list.map(({ name }) => name)).toEqual(["tiny"])
    const ranges = server.requests.filter(({ path, range }) => path.endsWith("model.safetensors") && range)
    expect(ranges.length).toBeGreaterThanOrEqual(Math.ceil(weights.length / 500_000))
    const before = server.requests.length
    const { answer, path } = await page.evaluate(async () => {
      const llama = await window.cria.Llama.load("opfs:tiny")
      const [answer] = await llama
        .chat([{ role: "user", content: "hi" }], { maxTokens: 8, ignoreEos: true })
        .result()
      const { path } = llama.info
      await llama.dispose()
      return { answer, path }
    })
    expect(server.requests.slice(before).filter(({ path }) => path.startsWith("/chat/"))).toEqual([])
    expect(answer.usage.completionTokens).toBe(8)
    expect(path).toBe("opfs:tiny")
  }, 60_000)

  test("an interrupted page goes on later", async (context) => {
    needStories(context)
    const url = `${server.origin}/stories/stories260K.bin`
    const codes = await page.evaluate(async (url) => {
      const store = await window.cria.ModelStore.open()
      const controller = new AbortController()
      const work = store.download(url, { signal: controller.signal, onProgress: () => controller.abort() })
      const first = await work.then(
        () => "no error",
        (error: unknown) => (error as Error).name,
      )
      const [begun] = (await store.list()).filter(({ name }) => name === "stories260K.bin")
      const early = await window.cria.Llama.load("opfs:stories260K.bin").catch(
        (error: { code: string }) => error.code,
      )
      return { first, begun, early }
    }, url)
    expect(codes.first).toBe("AbortError")
    expect(codes.begun.complete).toBe(false)
    expect(codes.early).toBe("invalid_file")
    const whole = await page.evaluate(async (url) => (await window.cria.ModelStore.open()).download(url), url)
    expect(whole.complete).toBe(true)
  })

  test("hashes are checked when files come, and on demand", async (context) => {
    needBrowser(context)
    const weights = await readFile(join(models, "model.safetensors"))
    const sha256 = createHash("sha256").update(weights).digest("hex")
    const codes = await page.evaluate(
      async ({ url, sha256 }) => {
        const store = await window.cria.ModelStore.open()
        const codeOf = (work: Promise<unknown>) =>
          work.then(
            () => "no error",
            (error: { code: string }) => error.code,
          )
        const tiny = await store.files("tiny")
        const weights = tiny.find(({ name }) => name === "model.safetensors")!
        await store.add([weights], { name: "copy" })
        const good = await codeOf(store.verify("copy"))
        // damage one byte behind the store's back
        const root = await navigator.storage.getDirectory()
        const folder = await (await root.getDirectoryHandle("cria-models")).getDirectoryHandle("m-copy")
        const writable = await (await folder.getFileHandle("model.safetensors")).createWritable({
          keepExistingData: true,
        })
        await writable.write({ type: "write", position: 5000, data: new Uint8Array([1, 2, 3]) })
        await writable.close()
        const damaged = await codeOf(store.verify("copy"))
        await store.remove("copy")
        const gone = await codeOf(store.verify("copy"))
        // a single file: the URL of a GGUF would do as well; the server does not care
        const wrong = await codeOf(store.download(`${url}?a`, { name: "wrong", sha256: "0".repeat(64) }))
        const right = await codeOf(store.download(`${url}?b`, { name: "right", sha256 }))
        return { good, damaged, gone, wrong, right }
      },
      { url: `${server.origin}/weights/model.gguf`, sha256 },
    )
    expect(codes).toEqual({
      good: "no error",
      damaged: "invalid_file",
      gone: "model_not_found",
      wrong: "invalid_file",
      right: "no error",
    })
  })

  test("a full store is a typed error", async (context) => {
    needBrowser(context)
    const tools = await session.newCDPSession(page)
    await tools.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 100_000 })
    const code = await page.evaluate(async (url) => {
      const store = await window.cria.ModelStore.open()
      return store.download(url, { name: "too large" }).then(
        () => "no error",
        (error: { code: string }) => error.code,
      )
    }, `${server.origin}/chat/`)
    await tools.send("Storage.overrideQuotaForOrigin", { origin: server.origin })
    expect(code).toBe("storage_full")
  })
})
