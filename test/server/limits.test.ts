// How the server behaves at its limits: the queue, several models and their memory, the end, CORS, host names, and
// other frameworks around the handler.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { build } from "esbuild"
import { Hono } from "hono"
import type { Llama } from "cria"
import { createHandler, type ModelEntry, Models, type RequestLog } from "cria/server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eventually, post, runServer, type RunningServer } from "./running-server.js"

let server: RunningServer
beforeAll(async () => {
  server = await runServer({ maxRunning: 2, maxQueue: 2 })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

const messages = [{ role: "user", content: "Hi" }]
const chat = { model: "tiny", messages }
/** Keeps an answer of the random model from ending by itself. */
const withoutEnd = () => ({
  max_tokens: 1900,
  logit_bias: Object.fromEntries([...server.llama.tokenizer.special.values()].map((id) => [id, -100])),
})
const jsonRequest = (path: string, body: unknown, init: RequestInit = {}) =>
  new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...init,
  })
const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string; code: string } }).error

describe("the queue", () => {
  test("so many run, so many wait, the next is told when to come back; who leaves makes room", async () => {
    const controllers = Array.from({ length: 4 }, () => new AbortController())
    const asked = controllers.map(({ signal }) =>
      post(server, "/v1/chat/completions", { ...chat, stream: true, ...withoutEnd() }, { signal }),
    )
    const settled = Promise.allSettled(asked)
    await eventually(async () =>
      /cria_requests_waiting 2\n/.test(await (await fetch(`${server.url}/metrics`)).text()),
    )
    const refused = await post(server, "/v1/chat/completions", chat)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
    expect((await errorOf(refused)).code).toBe("queue_full")
    controllers[3].abort() // one that waits
    controllers[0].abort() // one that runs: the one that still waits takes its place
    await eventually(async () =>
      /cria_requests_waiting 0\n/.test(await (await fetch(`${server.url}/metrics`)).text()),
    )
    const late = post(server, "/v1/chat/completions", { ...chat, max_tokens: 1 })
    for (const controller of controllers) controller.abort()
    expect((await late).status).toBe(200)
    await settled
    await eventually(async () => (await server.llama.stats()).running === 0)
  })

  test("a stream that nobody reads loses its place", async () => {
    const handler = createHandler({ tiny: server.llama }, { maxRunning: 1, stallTimeout: 100 })
    const body = { ...chat, stream: true, ...withoutEnd(), logprobs: true, top_logprobs: 20 }
    const unread = await handler(jsonRequest("/v1/chat/completions", body))
    expect(unread.status).toBe(200)
    expect((await handler(jsonRequest("/v1/chat/completions", { ...chat, max_tokens: 1 }))).status).toBe(200)
    expect((await server.llama.stats()).running).toBe(0)
    await expect(unread.text()).rejects.toThrow(/took nothing/)
  })

  test("metrics count requests, first tokens and pages", async () => {
    await (await post(server, "/v1/chat/completions", { ...chat, max_tokens: 3 })).json()
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/^cria_requests_total\{path="\/v1\/chat\/completions",status="200"\} [1-9]/m)
    expect(text).toMatch(/^cria_time_to_first_token_seconds_bucket\{model="tiny",le="\+Inf"\} [1-9]/m)
    const buckets = [...text.matchAll(/^cria_request_seconds_bucket\{le="[^"]+"\} (\d+)$/gm)].map(([, n]) =>
      Number(n),
    )
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b))
    expect(Number(/^cria_request_seconds_count (\d+)$/m.exec(text)![1])).toBe(buckets.at(-1))
    expect(text).toMatch(/^cria_cache_pages\{model="tiny",state="used"\} 0$/m)
    expect(text).toMatch(/^cria_generated_tokens_total\{model="tiny"\} [1-9]/m)
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) cria_\w+ .+|cria_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [-\d.e+]+)$/,
      )
  })
})

describe("several models", () => {
  /** A stand-in whose info says how large it is; the answers are those of the real one. */
  const sized = (megabytes: number, events: string[], name: string): ModelEntry => ({
    memoryBytes: megabytes,
    load: async () => {
      events.push(`load ${name}`)
      const { llama } = server
      return {
        config: llama.config,
        tokenizer: llama.tokenizer,
        info: { ...llama.info, weightBytes: megabytes, cacheBytes: 0 },
        chat: llama.chat.bind(llama),
        stats: llama.stats.bind(llama),
        dispose: async () => void events.push(`end ${name}`),
      } as unknown as Llama
    },
  })

  test("they are loaded on demand, the longest unused goes first, never one that runs", async () => {
    const events: string[] = []
    const entries = { a: sized(4, events, "a"), b: sized(4, events, "b"), c: sized(4, events, "c") }
    const handler = createHandler(new Models(entries, { memoryBytes: 9 }))
    const ask = (model: string, more = {}) =>
      handler(jsonRequest("/v1/chat/completions", { ...chat, model, max_tokens: 1, ...more }))
    expect((await ask("a")).status).toBe(200)
    expect((await Promise.all([ask("b"), ask("b")])).map(({ status }) => status)).toEqual([200, 200])
    await ask("a")
    await ask("c")
    expect(events).toEqual(["load a", "load b", "end b", "load c"])
    const streams = await Promise.all(
      ["a", "c"].map((model) => ask(model, { stream: true, max_tokens: 500 })),
    )
    const refused = await ask("b")
    expect(refused.status).toBe(503)
    expect(refused.headers.get("retry-after")).not.toBeNull()
    await Promise.all(streams.map((stream) => stream.body!.cancel()))
    await eventually(async () => (await server.llama.stats()).running === 0)
    expect((await ask("b")).status).toBe(200)
    expect(events.slice(4)).toEqual(["end a", "load b"])
    await handler.close()
    expect(events.slice(6).toSorted()).toEqual(["end b", "end c"])
  })

  test("a model that cannot be loaded is an error each time it is asked for, not the end", async () => {
    let tries = 0
    const errors: unknown[] = []
    const broken: ModelEntry = { load: () => Promise.reject(new Error(`broken ${++tries}`)) }
    const handler = createHandler({ broken, tiny: server.llama }, { onError: (error) => errors.push(error) })
    const ask = (model: string) =>
      handler(jsonRequest("/v1/chat/completions", { ...chat, model, max_tokens: 1 }))
    const failed = await ask("broken")
    expect(failed.status).toBe(500)
    expect((await errorOf(failed)).message).not.toContain("broken")
    expect((await ask("broken")).status).toBe(500)
    expect(errors).toHaveLength(2)
    expect((await ask("tiny")).status).toBe(200)
  })
})

describe("the end", () => {
  test("running answers finish, new ones get 503; what is left ends at once when asked", async () => {
    const logged: RequestLog[] = []
    const handler = createHandler({ tiny: server.llama }, { onRequest: (entry) => logged.push(entry) })
    const ask = (more: object) => handler(jsonRequest("/v1/chat/completions", { ...chat, ...more }))
    const stream = await ask({ stream: true, max_tokens: 40 })
    const drained = handler.drain()
    expect((await handler(new Request("http://localhost/ready"))).status).toBe(503)
    expect((await handler(new Request("http://localhost/health"))).status).toBe(200)
    const refused = await ask({})
    expect(refused.status).toBe(503)
    expect(refused.headers.get("retry-after")).not.toBeNull()
    expect(await stream.text()).toMatch(/"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/)
    await drained
    await eventually(() => logged.some(({ completionTokens }) => completionTokens === 40))

    const other = createHandler({ tiny: server.llama })
    const endless = await other(
      jsonRequest("/v1/chat/completions", { ...chat, stream: true, ...withoutEnd() }),
    )
    const text = endless.text()
    await other.close()
    expect(await text).toMatch(/shutting down/)
    expect((await server.llama.stats()).running).toBe(0)
  })
})

describe("who may ask", () => {
  const preflight = {
    method: "OPTIONS",
    headers: { origin: "https://a.example", "access-control-request-method": "POST" },
  }

  test("no page but those named", async () => {
    const closed = await server.handler(new Request("http://localhost/v1/models", preflight))
    expect(closed.headers.get("access-control-allow-origin")).toBeNull()
    const open = createHandler({ tiny: server.llama }, { cors: ["https://a.example"] })
    const allowed = await open(new Request("http://localhost/v1/models", preflight))
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://a.example")
    const other = { ...preflight, headers: { ...preflight.headers, origin: "https://b.example" } }
    const refused = await open(new Request("http://localhost/v1/models", other))
    expect(refused.headers.get("access-control-allow-origin")).toBeNull()
    for (const stream of [false, true]) {
      const request = jsonRequest("/v1/chat/completions", { ...chat, max_tokens: 2, stream })
      request.headers.set("origin", "https://a.example")
      const answer = await open(request)
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://a.example")
      expect(answer.headers.get("content-type")).toMatch(stream ? "text/event-stream" : "application/json")
      expect((await answer.text()).length).toBeGreaterThan(100)
    }
  })

  test("no foreign host name, where names are given", async () => {
    const handler = createHandler({ tiny: server.llama }, { allowedHosts: ["localhost", "[::1]"] })
    const ask = (host: string) => handler(new Request("http://localhost/health", { headers: { host } }))
    expect((await ask("localhost:11500")).status).toBe(200)
    expect((await ask("[::1]:11500")).status).toBe(200)
    expect((await ask("rebound.example")).status).toBe(403)
  })
})

describe("in other frameworks", () => {
  test("mounted in a Hono app, and behind a path as Next.js has it", async () => {
    const handler = createHandler({ tiny: server.llama })
    const app = new Hono().mount("/llm", handler)
    expect((await app.fetch(new Request("http://localhost/llm/v1/models"))).status).toBe(200)
    const next = createHandler({ tiny: server.llama }, { basePath: "/api/llm" })
    expect((await next(new Request("http://localhost/api/llm/v1/models"))).status).toBe(200)
    expect((await next(new Request("http://localhost/v1/models"))).status).toBe(404)
    const answer = await next(jsonRequest("/api/llm/v1/chat/completions", { ...chat, max_tokens: 2 }))
    expect(answer.status).toBe(200)
  })

  test("the handler needs nothing of Node", async () => {
    const bundled = await build({
      stdin: { contents: 'export { createHandler } from "cria/server"', resolveDir: import.meta.dirname },
      bundle: true,
      platform: "browser",
      format: "esm",
      write: false,
      logLevel: "silent",
    })
    expect(bundled.errors).toEqual([])
    expect(bundled.outputFiles[0].text).toContain("createHandler")
  })

  test("as middleware with Node's request and response, as Express has them", async () => {
    const listener = getRequestListener(createHandler({ tiny: server.llama }))
    const app = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
      if (!incoming.url!.startsWith("/llm")) return void outgoing.end("mine")
      incoming.url = incoming.url!.slice(4)
      void listener(incoming, outgoing)
    })
    await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`
    expect(await (await fetch(url)).text()).toBe("mine")
    expect(await (await fetch(`${url}/llm/v1/models`)).json()).toMatchObject({ data: [{ id: "tiny" }] })
    app.close()
    app.closeAllConnections()
  })
})
