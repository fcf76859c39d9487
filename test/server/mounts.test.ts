// The handler inside apps of other makers: Express, Hono, and the form that Next's route files have.
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { createHandler } from "cria/server"
import express from "express"
import { Hono } from "hono"
import { afterAll, beforeAll, expect, test } from "vitest"
import { runServer, type RunningServer } from "./running-server.js"

let server: RunningServer
const apps: Server[] = []
beforeAll(async () => {
  server = await runServer()
})
afterAll(async () => {
  for (const app of apps) app.closeAllConnections()
  await Promise.all(apps.map((app) => new Promise((resolve) => app.close(resolve))))
  await server.stop()
})

async function onPort(app: RequestListener): Promise<string> {
  const listening = createServer(app)
  apps.push(listening)
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve))
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

const body = {
  model: "tiny",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 6,
  temperature: 1,
  seed: 5,
}
const init = (stream: boolean) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ ...body, stream }),
})

/** A whole answer and a streamed one, which must say the same. */
async function expectAnswers(ask: (stream: boolean) => Promise<Response>) {
  const { choices } = (await (await ask(false)).json()) as { choices: { message: { content: string } }[] }
  const text = await (await ask(true)).text()
  const streamed = [...text.matchAll(/^data: (\{.*)$/gm)]
    .map(
      ([, data]) =>
        (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? "",
    )
    .join("")
  expect(streamed).toBe(choices[0].message.content)
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true)
}

test("in Express, which cuts the path where the handler is mounted", async () => {
  const app = express()
  app.get("/mine", (_, response) => void response.send("my own"))
  app.use("/api/llm", getRequestListener(createHandler({ tiny: server.llama })))
  const url = await onPort(app)
  await expectAnswers((stream) => fetch(`${url}/api/llm/v1/chat/completions`, init(stream)))
  expect(await (await fetch(`${url}/mine`)).text()).toBe("my own")
  expect((await fetch(`${url}/api/llm/v1/nothing`)).status).toBe(404)
})

test("in Hono, which leaves the path as it is", async () => {
  const handler = createHandler({ tiny: server.llama }, { basePath: "/api/llm" })
  const app = new Hono()
  app.all("/api/llm/*", (c) => handler(c.req.raw))
  const listener = getRequestListener(app.fetch)
  const url = await onPort((request, response) => void listener(request, response))
  await expectAnswers((stream) => fetch(`${url}/api/llm/v1/chat/completions`, init(stream)))
})

test("as Next calls what a route file exports, with a second argument of its own", async () => {
  const handler = createHandler({ tiny: server.llama }, { basePath: "/api/llm" })
  const route: { POST: (request: Request, context: { params: Promise<object> }) => Promise<Response> } = {
    POST: handler,
  }
  await expectAnswers((stream) =>
    route.POST(new Request("http://localhost/api/llm/v1/chat/completions", init(stream)), {
      params: Promise.resolve({}),
    }),
  )
})
