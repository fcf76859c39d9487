// cria serve as a process: what it prints, its keys and logs, and how it ends.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { Llama } from "cria"
import { makeAdapter } from "../random-adapter.js"
import { makeChatModel } from "./chat-model.js"

const main = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url))
let folder: string
let model: string
const children: ChildProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-serve-"))
  model = await makeChatModel(join(folder, "little"))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
})
afterAll(() => rm(folder, { recursive: true }))

interface Completion {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
}

/** Starts the command; `said` is all it wrote to standard output so far. */
function serve(options: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, "serve", "--port", "0", "--threads", "1", ...options], {
    env: { ...process.env, CRIA_MODEL: "", CRIA_API_KEY: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  children.push(child)
  const output = { out: "", err: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.out += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.err += text))
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve))
  const url = async () => {
    for (;;) {
      const found = /http:\/\/[\d.]+:\d+/.exec(output.out)?.[0]
      if (found) return found
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${output.err}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, output, exit, url }
}

const ask = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "little", messages: [{ role: "user", content: "Hi" }], ...body }),
  })

test("it says where it listens and how to call it, and ends with a running answer finished", async () => {
  const { child, output, exit, url } = serve(["--model", model])
  const at = await url()
  expect(output.out).toContain(`${at}/v1/chat/completions`)
  expect(output.out).toContain('"model":"little"')
  const stream = await ask(at, { stream: true, max_tokens: 300 })
  const text = stream.text()
  child.kill("SIGTERM")
  expect(await text).toMatch(/data: \[DONE\]\n\n$/)
  expect(await exit).toBe(0)
  expect(output.err).toMatch(/POST \/v1\/chat\/completions 200 [\d.]+ ms little/)
})

test("adapters are served under names of their own", async () => {
  const llama = await Llama.load(model, { threads: 1 })
  const adapter = await makeAdapter(join(folder, "lora"), llama, model, 1)
  await llama.dispose()
  const { child, exit, url } = serve([
    "--model",
    model,
    "--adapter",
    adapter,
    "--adapter",
    `little:b=${adapter}`,
  ])
  const at = await url()
  const { data } = (await (await fetch(`${at}/v1/models`)).json()) as { data: { id: string }[] }
  expect(data.map(({ id }) => id)).toEqual(["little", "little:lora", "little:b"])
  const options = { temperature: 0, max_tokens: 8 }
  const [plain, ...others] = await Promise.all(
    data.map(async ({ id }) => {
      const answer = (await (await ask(at, { ...options, model: id })).json()) as Completion
      return answer.choices[0].message.content
    }),
  )
  expect(others[0]).not.toBe(plain)
  expect(others[1]).toBe(others[0])
  child.kill("SIGTERM")
  expect(await exit).toBe(0)

  const two = serve(["--model", `a=${model}`, "--model", `b=${model}`, "--adapter", `x=${adapter}`])
  expect(await two.exit).toBe(2)
  expect(two.output.err).toContain("does not say for which model")
})

test("a second signal ends at once", async () => {
  const { child, exit, url } = serve(["--model", `little=${model}`, "--json"])
  const stream = await ask(await url(), { stream: true, max_tokens: 100_000 })
  const text = stream.text().catch((error: Error) => error.message)
  child.kill("SIGTERM")
  await new Promise((resolve) => setTimeout(resolve, 200))
  child.kill("SIGTERM")
  expect(await exit).toBe(143)
  expect(await text).not.toContain("[DONE]")
})

test("keys come from the environment and from a file, as they are or hashed; logs are JSON", async () => {
  const file = join(folder, "keys")
  // the hash of "from-file"
  const hashed = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from("from-file"))).toString("hex")
  await writeFile(file, `# keys\nsha256:${hashed}\n`)
  const { child, output, exit, url } = serve(
    ["--model", `little=${model}`, "--json", "--api-key-file", file],
    {
      CRIA_API_KEY: "from-environment",
    },
  )
  const at = await url()
  const status = async (key?: string) =>
    (await ask(at, { max_tokens: 1 }, key ? { authorization: `Bearer ${key}` } : {})).status
  expect(
    await Promise.all([status(), status("wrong"), status("from-file"), status("from-environment")]),
  ).toEqual([401, 401, 200, 200])
  child.kill("SIGINT")
  expect(await exit).toBe(0)
  const entries = output.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(entries[0]).toMatchObject({ event: "listening", models: ["little"] })
  expect(entries.filter(({ status: found }) => found === 200)).toMatchObject([
    { event: "request", model: "little", completionTokens: 1 },
    { event: "request", model: "little", completionTokens: 1 },
  ])
  expect(output.out).not.toContain("from-")
})

test("what cannot work is said in a line", async () => {
  const wrong = serve(["--model", `a=${model}`, "--model", `a=${model}`])
  expect(await wrong.exit).toBe(2)
  expect(wrong.output.err).toContain("two models are called a")
  const first = serve(["--model", `little=${model}`])
  const { port } = new URL(await first.url())
  const second = serve(["--model", `little=${model}`, "--port", port])
  expect(await second.exit).toBe(1)
  expect(second.output.err).toContain(`port ${port}`)
  first.child.kill("SIGTERM")
  await first.exit
})
