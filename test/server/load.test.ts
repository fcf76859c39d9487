// A small load with rude clients among them: no error that is not by design, and everything given back. The long
// form is bench/server-load.ts.
import { Agent, request } from "node:http"
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

function ask(agent: Agent, manner: Manner, seed: number): Promise<string> {
  const body = JSON.stringify({
    model: "tiny",
    prompt: "the llama",
    max_tokens: 60,
    temperature: 1,
    seed,
    stream: true,
  })
  return new Promise((resolve) => {
    let text = ""
    const outgoing = request(
      `${server.url}/v1/completions`,
      { method: "POST", agent, headers: { "content-type": "application/json" } },
      (incoming) => {
        incoming.setEncoding("utf8")
        incoming.on("data", (chunk: string) => {
          text += chunk
          if (manner === "dropping" && text.length > 1000) {
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

async function round(connections: number, count: number): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const outcomes: Record<string, number> = {}
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < count) {
        const seed = next++
        const outcome = await ask(
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
  await round(20, 20)
  const before = (await server.llama.stats()).memoryBytes
  const heap = process.memoryUsage().heapUsed
  const outcomes = await round(60, 150)
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
