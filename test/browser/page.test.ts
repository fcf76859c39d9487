// The page in Chromium: conversations with the server and inside the browser, what stays after a reload, hostile
// answers, and accessibility. With CRIA_SCREENSHOTS set to a folder it leaves pictures there.
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { existsSync } from "node:fs"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Llama } from "cria"
import { createHandler, hashKey } from "cria/server"
import { listen, type Listener, webFolder } from "cria/server/node"
import type { AxeResults } from "axe-core"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, type TestContext } from "vitest"
import { makeChatModel } from "../cli/chat-model.js"
import { scripted } from "../server/scripted-model.js"
import { launchBrowser, noBrowser } from "./chromium.js"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const stories = join(root, "../shared/reference/stories260K")
const pictures = process.env.CRIA_SCREENSHOTS
const axe = createRequire(import.meta.url).resolve("axe-core")

const rich = `Here is **what I know** about *llamas*:

| Animal | Weight | Wool |
| --- | ---: | --- |
| Llama | 150 kg | coarse |
| Alpaca | 70 kg | fine |

1. They hum.
2. They carry loads of \`30 kg\`.

\`\`\`ts
const herd = ["llama", "alpaca"].map((name) => name.toUpperCase())
\`\`\`

> A cria is a baby llama. [More](https://example.org/llama)`

const hostile = `<img src=x onerror="window.hacked = 1"> <script>window.hacked = 2</script>
[click](javascript:window.hacked=3) ![pixel](https://example.org/pixel.png)

<details open ontoggle="window.hacked = 4">x</details>`

let browser: Browser
let llama: Llama
let models: string
let texts: string[]
let asked: ReturnType<typeof scripted>["asked"]
let listener: Listener
let session: BrowserContext
let page: Page
let problems: string[]

beforeAll(async () => {
  if (noBrowser) return
  browser = await launchBrowser()
  models = await makeChatModel(await mkdtemp(join(tmpdir(), "cria-page-")))
  llama = await Llama.load(models, { threads: 1, contextLength: 2048 })
}, 60_000)
afterAll(async () => {
  await browser?.close()
  await llama?.dispose()
  if (models) await rm(models, { recursive: true })
})

beforeEach(async () => {
  if (noBrowser) return
  texts = []
  const script = scripted(llama, texts)
  asked = script.asked
  const handler = createHandler(
    { "Llama-3.2-1B-Instruct": script.model },
    { page: await webFolder(join(root, "dist/web")) },
  )
  listener = await listen(handler, { port: 0 })
  session = await browser.newContext({
    locale: "en-US",
    colorScheme: "light",
    viewport: { width: 1280, height: 800 },
  })
  page = await session.newPage()
  problems = []
  page.on("pageerror", (error) => problems.push(error.stack ?? String(error)))
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("ERR_INTERNET_DISCONNECTED"))
      problems.push(message.text())
  })
})
afterEach(async () => {
  await session?.close()
  await listener?.close({ now: true })
  if (!noBrowser) expect(problems).toEqual([])
})

function needBrowser(context: TestContext): void {
  if (noBrowser) context.skip(noBrowser)
}

async function open(): Promise<void> {
  await page.goto(`${listener.url.replace("127.0.0.1", "localhost")}/`)
}

const say = async (text: string) => {
  await page.getByRole("textbox", { name: "Message" }).fill(text)
  await page.keyboard.press("Enter")
}
const answers = () => page.getByRole("article", { name: "Model" })

async function violations(): Promise<string[]> {
  await page.evaluate(await readFile(axe, "utf8"))
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  )
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
  )
}

async function picture(name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) })
}

describe("against the server", () => {
  test("a conversation: answers, versions, branches, what stays", async (context) => {
    needBrowser(context)
    texts.push(rich, "Another answer.", "About alpacas.")
    await open()
    await page.getByText("What would you like to talk about?").waitFor()
    await picture("welcome")
    expect(await page.getByText("Built with Llama").first().isVisible()).toBe(true)
    await say("What do you know about llamas?")
    await answers().getByRole("table").waitFor()
    expect(await answers().getByRole("row").count()).toBe(3)
    expect(await answers().locator("pre").textContent()).toContain("toUpperCase")
    expect(await answers().getByRole("link", { name: "More" }).getAttribute("rel")).toBe(
      "noopener noreferrer",
    )
    await answers()
      .getByText("tokens/s")
      .or(answers().getByText(/\d tokens/))
      .first()
      .waitFor()
    await picture("chat-light")
    await page.emulateMedia({ colorScheme: "dark" })
    await picture("chat-dark")
    await page.emulateMedia({ colorScheme: "light" })

    await page.getByRole("button", { name: "Answer again" }).click()
    await answers().getByText("Another answer.").waitFor()
    expect(await page.getByText("2/2").isVisible()).toBe(true)
    await page.getByRole("button", { name: "Previous version" }).click()
    await answers().getByRole("table").waitFor()

    await page.getByRole("button", { name: "Edit" }).click()
    await page.getByRole("textbox", { name: "Edit" }).fill("And about alpacas?")
    await page.getByRole("button", { name: "Send as a new branch" }).click()
    await answers().getByText("About alpacas.").waitFor()
    expect(asked.at(-1)!.messages).toEqual([{ role: "user", content: "And about alpacas?" }])

    await page.reload()
    await answers().getByText("About alpacas.").waitFor()
    await page.getByRole("button", { name: "Previous version" }).click()
    await answers().getByText("Another answer.").waitFor()
  })

  test("the system prompt and the parameters reach the model", async (context) => {
    needBrowser(context)
    texts.push("Plainly.", "Yes.")
    await open()
    await say("As recommended?")
    await answers().getByText("Plainly.").waitFor()
    expect(asked[0].options.temperature).toBeUndefined()
    await page.getByRole("button", { name: "New chat" }).first().click()
    await page.getByRole("button", { name: "Settings" }).last().click()
    expect(await page.getByLabel("Temperature").inputValue()).toBe("0.6")
    await page.getByLabel("System prompt").fill("Be brief.")
    await page.getByLabel("Temperature").fill("0")
    await page.getByLabel("Longest answer").fill("77")
    await page.getByLabel("Seed").fill("5")
    await picture("settings")
    expect(await violations()).toEqual([])
    await page.keyboard.press("Escape")
    await say("Well?")
    await answers().getByText("Yes.").waitFor()
    expect(asked[1].messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Well?" },
    ])
    expect(asked[1].options).toMatchObject({ temperature: 0, maxTokens: 77, seed: 5 })
  })

  test("a server that asks for a key gets it from the user", async (context) => {
    needBrowser(context)
    await listener.close({ now: true })
    texts.push("Come in.")
    const handler = createHandler(
      { tiny: scripted(llama, texts).model },
      { page: await webFolder(join(root, "dist/web")), apiKeyHashes: [await hashKey("secret")] },
    )
    listener = await listen(handler, { port: 0 })
    await open()
    await page.getByText("No model yet").waitFor()
    await page.getByRole("button", { name: "Choose a model" }).last().click()
    await page.getByLabel("Key of the server").fill("secret")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("In use").waitFor()
    await page.keyboard.press("Escape")
    await say("Knock knock")
    await answers().getByText("Come in.").waitFor()
    problems = problems.filter((problem) => !problem.includes("401"))
  })

  test("nothing that a model writes becomes HTML", async (context) => {
    needBrowser(context)
    texts.push(hostile)
    const foreign: string[] = []
    page.on("request", (request) => {
      if (!request.url().startsWith("http://localhost")) foreign.push(request.url())
    })
    await open()
    await say("Attack!")
    await answers().getByText("onerror").first().waitFor()
    await page.waitForTimeout(100)
    expect(await answers().locator("img, script, details, a").count()).toBe(0)
    expect(await page.evaluate(() => "hacked" in window)).toBe(false)
    expect(foreign).toEqual([])
  })

  test("the writing corner shows what changed", async (context) => {
    needBrowser(context)
    texts.push("The llamas walk over the mountains and find a lake where the water is cold.")
    await open()
    await page.getByRole("button", { name: "Writing corner" }).click()
    await page
      .getByLabel("Your text")
      .fill("The llama walk over the montains and find a lake where water is cold.")
    await page.getByRole("button", { name: "Fix mistakes" }).click()
    await page.locator("ins").first().waitFor()
    expect(await page.locator("del").allTextContents()).toEqual(["llama", "montains"])
    expect(await page.locator("ins").allTextContents()).toEqual(["llamas", "mountains", "the "])
    await picture("writing")
    expect(await violations()).toEqual([])
    await page.getByRole("button", { name: "Take over" }).click()
    expect(await page.getByLabel("Your text").inputValue()).toContain("mountains")
  })

  test("every language has the page, and it is remembered", async (context) => {
    needBrowser(context)
    await open()
    await page.getByRole("button", { name: "Settings" }).last().click()
    const codes = await page
      .locator("#language option")
      .evaluateAll((all) => all.map((option) => (option as HTMLOptionElement).value))
    expect(codes.toSorted()).toEqual(["de", "en", "es", "fr", "hi", "it", "ja", "pt", "th"])
    const seen = new Set<string>()
    for (const code of codes) {
      await page.locator("#language").selectOption(code)
      await page.waitForFunction((code) => document.documentElement.lang === code, code)
      seen.add((await page.getByRole("dialog").locator("h2").textContent()) ?? "")
      if (pictures) await picture(`language-${code}`)
    }
    expect(seen.size).toBeGreaterThanOrEqual(8)
    await page.locator("#language").selectOption("ja")
    await page.reload()
    await page.waitForFunction(() => document.documentElement.lang === "ja")
  })
})

test("a stranger's start: the command without a word opens on a page that answers", async (context) => {
  needBrowser(context)
  const child = spawn(process.execPath, [join(root, "dist/node/cli.js"), "serve", "--port", "0"], {
    env: { ...process.env, CRIA_MODEL: "", CRIA_API_KEY: "" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  try {
    let said = ""
    const address = await new Promise<string>((resolve) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text
        const found = /http:\/\/[\d.:]+\//.exec(said)?.[0]
        if (found) resolve(found)
      })
    })
    await page.goto(address)
    await page.getByText("A tiny model that comes with Cria").waitFor()
    await say("Who are you?")
    await answers().getByRole("button", { name: "Answer again" }).waitFor({ timeout: 30_000 })
    expect((await answers().locator("p").first().textContent())!.length).toBeGreaterThan(2)
    await page.getByRole("button", { name: "New chat" }).click()
    await page.getByRole("button", { name: "Choose a model" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Use" }).click()
    await page.getByRole("button", { name: /^Model:.*in this browser/ }).waitFor({ timeout: 30_000 })
    await page.getByRole("dialog").waitFor({ state: "hidden" })
    await say("Who are you?")
    await answers().getByRole("button", { name: "Answer again" }).waitFor({ timeout: 60_000 })
  } finally {
    child.kill("SIGKILL")
  }
}, 150_000)

describe("inside the browser", () => {
  const loaded = () =>
    page.getByRole("button", { name: /^Model:.*in this browser/ }).waitFor({ timeout: 20_000 })
  const choose = async (files: string[]) => {
    await page.getByRole("button", { name: /^Model:/ }).click()
    await page.locator("input[type=file]").setInputFiles(files)
    await loaded()
    await page.getByRole("dialog").waitFor({ state: "hidden" })
  }

  test("a conversation without a network; model and history stay", async (context) => {
    needBrowser(context)
    await open()
    await page.getByText("What would you like to talk about?").waitFor()
    await page.getByRole("button", { name: /^Model:/ }).click()
    await picture("models")
    expect(await violations()).toEqual([])
    await page.keyboard.press("Escape")
    await choose((await readdir(models)).map((name) => join(models, name)))
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true)
    await session.setOffline(true)
    await page.getByRole("button", { name: "Settings" }).last().click()
    await page.getByLabel("Longest answer").fill("24")
    await page.getByLabel("Seed").fill("7")
    await page.getByLabel("Show probabilities").check()
    await page.keyboard.press("Escape")
    await say("the llama")
    await answers().getByRole("button", { name: "Answer again" }).waitFor()
    const written = await answers().getByRole("toolbar").textContent()
    expect(written!.length).toBeGreaterThan(3)
    await answers().getByRole("toolbar").getByRole("button").nth(2).click()
    expect(await answers().getByRole("listitem").count()).toBe(5)
    await picture("probabilities")
    // an answer without end, until it is told to stop
    await page.getByRole("button", { name: "Settings" }).last().click()
    await page.getByLabel("Longest answer").fill("100000")
    await page.getByLabel("Temperature").fill("0")
    await page.keyboard.press("Escape")
    await say("on and on")
    await page.getByRole("button", { name: "Stop" }).click()
    await page.getByText("Stopped.").waitFor()
    // as does leaving it
    await page.getByRole("button", { name: "Answer again" }).last().click()
    await page.getByRole("button", { name: "Stop" }).waitFor()
    await page.getByRole("button", { name: "New chat" }).click()
    await page.getByRole("button", { name: "the llama", exact: true }).click()
    await page.getByText("2/2").waitFor()
    await page.getByText("Stopped.").waitFor()
    await session.setOffline(false)

    await page.reload()
    await loaded()
    expect(await answers().getByRole("toolbar").first().textContent()).toBe(written)
    await page.getByRole("button", { name: /^Model:/ }).click()
    await page.getByRole("button", { name: "Check" }).click()
    await page.getByText("is whole").waitFor()
    await picture("models-kept")
    await page.getByRole("button", { name: "Remove “model.safetensors”" }).click()
    await page.getByRole("button", { name: "Remove “model.safetensors”" }).waitFor({ state: "detached" })
  }, 90_000)

  test("a base model continues a text", async (context) => {
    needBrowser(context)
    if (!existsSync(stories)) context.skip("no ../shared/reference/stories260K")
    await open()
    await page.getByText("What would you like to talk about?").waitFor()
    await choose([join(stories, "stories260K.bin"), join(stories, "tok512.bin")])
    const text = page.getByRole("textbox", { name: "Your text" })
    await text.fill("Once upon a time")
    await page.getByRole("button", { name: "Settings" }).last().click()
    await page.getByLabel("Temperature").fill("0")
    await page.getByLabel("Longest answer").fill("60")
    await page.keyboard.press("Escape")
    await page.getByRole("button", { name: "Continue" }).click()
    await page.getByRole("button", { name: "Undo" }).waitFor()
    expect(await text.inputValue()).toMatch(/^Once upon a time, there was a little girl named Lily\./)
    await picture("continuation")
    await page.getByRole("button", { name: "Undo" }).click()
    expect(await text.inputValue()).toBe("Once upon a time")
  }, 60_000)
})

describe("for everybody", () => {
  test.for([
    { name: "light", scheme: "light", width: 1280, height: 800 },
    { name: "dark", scheme: "dark", width: 1280, height: 800 },
    { name: "phone", scheme: "light", width: 390, height: 844 },
    { name: "phone-dark", scheme: "dark", width: 390, height: 844 },
  ] as const)("no violations in a conversation: $name", async ({ name, scheme, width, height }, context) => {
    needBrowser(context)
    texts.push(rich)
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme: scheme })
    await open()
    await page.getByText("What would you like to talk about?").waitFor()
    expect(await violations()).toEqual([])
    await say("What do you know about llamas?")
    await answers().getByRole("button", { name: "Answer again" }).waitFor()
    await picture(`everybody-${name}`)
    expect(await violations()).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    if (width < 500) {
      await page.getByRole("button", { name: "Menu" }).click()
      await picture(`menu-${name}`)
      expect(await violations()).toEqual([])
    }
  })

  test("the keyboard is enough", async (context) => {
    needBrowser(context)
    texts.push("By keyboard.")
    await open()
    await page.getByText("What would you like to talk about?").waitFor()
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab")
      if (await page.evaluate(() => document.activeElement?.tagName === "TEXTAREA")) break
    }
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")
    await answers().getByText("By keyboard.").waitFor()
  })
})
