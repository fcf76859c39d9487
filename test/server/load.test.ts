// Load with rude clients among it: no error that is not by design, and everything given back, the memory of the process
// too. bench/server-load.ts measures.
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { platform } from "node:os"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { eventually, runServer, type RunningServer } from "./running-server.js"

let server: RunningServer
beforeAll(async () => {
  server = await runServer({ maxRunning: 16, maxQueue: 100, contextLength: 512 })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

type Manner = "polite" | "dropping" | "slow"

interface Target {
  readonly url: string
  readonly model: string
  readonly tokens: number
}

function ask(target: Target, agent: Agent, manner: Manner, seed: number): Promise<string> {
  const body = JSON.stringify({
    model: target.model,
    prompt: "the llama",
    max_tokens: target.tokens,
    temperature: 1,
    seed,
    stream: true,
  })
  return new Promise((resolve) => {
    let text = ""
    const outgoing = request(
      `${target.url}/v1/completions`,
      { method: "POST", agent, headers: { "content-type": "application/json" } },
      (incoming) => {
        incoming.setEncoding("utf8")
        incoming.on("data", (chunk: string) => {
          text += chunk
          if (manner === "dropping" && text.length > 16 * target.tokens) {
            outgoing.destroy()
            resolve("dropped")
          }
          if (manner === "slow") {
            incoming.pause()
            setTimeout(() => incoming.resume(), 15)
          }
        })
        incoming.on("end", () =>
          resolve(text.endsWith("data: [DONE]\n\n") ? "done" : `${incoming.statusCode} ${text}`),
        )
      },
    )
    outgoing.on("error", (error) => resolve(error.message))
    outgoing.end(body)
  })
}

async function round(target: Target, connections: number, count: number): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const outcomes: Record<string, number> = {}
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < count) {
        const seed = next++
        const outcome = await ask(
          target,
          agent,
          seed % 3 === 0 ? "dropping" : seed % 10 === 1 ? "slow" : "polite",
          seed,
        )
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      }
    }),
  )
  agent.destroy()
  return outcomes
}

test("60 connections, a third drops out, some read slowly", async () => {
  const target = { url: server.url, model: "tiny", tokens: 60 }
  await round(target, 20, 20)
  const before = (await server.llama.stats()).memoryBytes
  const heap = process.memoryUsage().heapUsed
  const outcomes = await round(target, 60, 150)
  // who wants to drop out may be too late: the whole answer can come at once
  expect(Object.keys(outcomes).toSorted()).toEqual(["done", "dropped"])
  expect(outcomes["done"] + outcomes["dropped"]).toBe(150)
  expect(outcomes["dropped"]).toBeGreaterThan(25)
  await eventually(async () => {
    const { running, waiting, pages } = await server.llama.stats()
    return running + waiting === 0 && pages.free === pages.total
  })
  expect((await server.llama.stats()).memoryBytes).toBeLessThan(before + 16 * 2 ** 20)
  expect(process.memoryUsage().heapUsed).toBeLessThan(heap + 100 * 2 ** 20)
})

/** Bytes of a process that are in memory (Linux). */
const resident = ({ pid }: ChildProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024

test("a server of its own, 200 connections, 32 answers at a time: its memory is back at the start", async (context) => {
  if (platform() !== "linux") context.skip("the memory of a process is read as Linux tells it")
  const main = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url))
  const options = "--port 0 --json --threads 1 --max-running 32 --max-queue 200 --model demo=default".split(
    " ",
  )
  const child = spawn(process.execPath, [main, "serve", ...options], {
    env: { ...process.env, CRIA_MODEL: "", CRIA_API_KEY: "" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  try {
    const errors: string[] = []
    const url = await new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const entry = JSON.parse(line) as { event: string; url: string }
        if (entry.event === "listening") resolve(entry.url)
        if (entry.event === "error") errors.push(line)
      })
    })
    const target = { url, model: "demo", tokens: 24 }
    // what the first rushes leave for good (compiled code, pieces of the allocator's pages) is no leak: the start is a
    // server that has rested after some
    for (let i = 0; i < 3; i++) await round(target, 200, 400)
    await new Promise((resolve) => setTimeout(resolve, 7000))
    const before = resident(child)
    const outcomes = await round(target, 200, 400)
    expect(Object.keys(outcomes).toSorted()).toEqual(["done", "dropped"])
    expect(outcomes["dropped"]).toBeGreaterThan(50)
    const metrics = async (name: string) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1])
    }
    await eventually(async () => (await metrics("cria_requests_running")) === 0)
    await eventually(() => resident(child) < before + 8 * 2 ** 20)
    expect(await metrics("cria_requests_waiting")).toBe(0)
    expect(errors).toEqual([])
  } finally {
    child.kill("SIGKILL")
  }
}, 120_000)
