// Strangers' requests: bodies of every wrong shape, made from the server's own OpenAPI document, and attacks on the
// connection. Each gets a clear 4xx in time, and streams beside it go on.
import { connect } from "node:net"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { post, processorTime, runServer, type RunningServer } from "./running-server.js"

let server: RunningServer
beforeAll(async () => {
  server = await runServer({
    maxBodyBytes: 1 << 20,
    bodyTimeout: 500,
    headersTimeout: 500,
    requestTimeout: 1500,
    contextLength: 512,
  })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

/** Sends raw bytes; what comes back until the connection ends, or until some milliseconds are over. */
function raw(bytes: string | Buffer, { wait = 4000, later = "" } = {}): Promise<string> {
  return new Promise((resolve) => {
    let answer = ""
    const socket = connect(server.port, "127.0.0.1", () => {
      socket.write(bytes)
      if (later) setTimeout(() => socket.write(later), 100)
    })
    const timer = setTimeout(() => socket.destroy(), wait)
    socket.setEncoding("latin1")
    socket.on("data", (chunk: string) => (answer += chunk))
    socket.on("error", () => {})
    socket.on("close", () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}

/** A stream runs beside what `attack` does; it must end well. */
async function besideAStream(attack: () => Promise<void>): Promise<void> {
  const body = { model: "tiny", messages: [{ role: "user", content: "Hi" }], max_tokens: 200, stream: true }
  const stream = await post(server, "/v1/chat/completions", body)
  const text = stream.text()
  await attack()
  expect(await text).toMatch(/data: \[DONE\]\n\n$/)
}

interface Schema {
  readonly [keyword: string]: unknown
}
interface Document {
  readonly paths: Record<
    string,
    Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>
  >
  readonly components: { schemas: Record<string, Schema> }
}

/** Made once for each depth and schema: making them takes longer than using them. */
const arbitraries = new Map<string, fc.Arbitrary<unknown>>()

/** Values that follow a schema of the document, with mistakes strewn in. */
function arbitrary(document: Document, schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const wrong = fc.oneof(
    fc.constantFrom(null, true, -1, 1e308, 0.5, "", "\u0000", [], {}, [[]], "auto", { type: "function" }),
    fc.string({ maxLength: 20, unit: "binary" }),
    fc.double(),
    fc.jsonValue({ maxDepth: 3 }),
  )
  const right = (): fc.Arbitrary<unknown> => {
    if (depth > 6) return wrong
    const inside = (one: unknown): fc.Arbitrary<unknown> => {
      const key = `${depth} ${JSON.stringify(one)}`
      let known = arbitraries.get(key)
      if (!known) arbitraries.set(key, (known = arbitrary(document, one as Schema, depth + 1)))
      return known
    }
    if (typeof schema["$ref"] === "string")
      return inside(document.components.schemas[schema["$ref"].split("/").at(-1)!])
    const alternatives = (schema["anyOf"] ?? schema["oneOf"]) as unknown[] | undefined
    if (alternatives) return fc.oneof(...alternatives.map(inside))
    if ("const" in schema) return fc.constant(schema["const"])
    if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]))
    switch (schema["type"]) {
      case "object": {
        const properties = (schema["properties"] ?? {}) as Record<string, unknown>
        const required = (schema["required"] ?? []) as string[]
        const optional = Object.keys(properties).filter((name) => !required.includes(name))
        return fc.subarray(optional, { maxLength: Math.min(4, optional.length) }).chain((chosen) => {
          const names = [...required, ...chosen].filter((name) => name in properties)
          return fc.record(Object.fromEntries(names.map((name) => [name, inside(properties[name])])))
        })
      }
      case "array":
        return fc.array(schema["items"] ? inside(schema["items"]) : wrong, {
          minLength: schema["minItems"] === 1 ? 1 : 0,
          maxLength: 3,
        })
      case "string":
        if (schema["pattern"]) return fc.constantFrom("f", "g", "1")
        return fc.string({ maxLength: 12, unit: "grapheme" })
      case "integer":
        return fc.integer({ min: Number(schema["minimum"] ?? 0), max: Number(schema["minimum"] ?? 0) + 20 })
      case "number":
        return fc.double({ min: 0, max: 1.25, noNaN: true })
      case "boolean":
        return fc.boolean()
      default:
        return wrong
    }
  }
  return fc.oneof({ weight: 30, arbitrary: right() }, { weight: 1, arbitrary: wrong })
}

describe("bodies of every wrong shape", async () => {
  const paths = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"]
  test.each(paths)("%s answers what it can and refuses the rest", async (path) => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document
    const { schema } = document.paths[path]["post"].requestBody!.content["application/json"]
    const statuses = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(arbitrary(document, schema), fc.boolean(), async (body, named) => {
        // most of them reach the model; none runs long
        const limits = {
          max_tokens: 2,
          max_completion_tokens: 2,
          max_output_tokens: 2,
          background: false,
          n: 1,
        }
        const whole =
          typeof body === "object" && body !== null && !Array.isArray(body)
            ? { ...body, ...limits, ...(named && { model: "tiny" }) }
            : body
        const response = await post(server, path, whole)
        const text = await response.text()
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        if (response.status !== 200) {
          expect([400, 404], `${JSON.stringify(whole)}: ${text}`).toContain(response.status)
          expect(JSON.parse(text)).toMatchObject({ error: { message: expect.any(String) as string } })
        }
      }),
      { seed: 20_261_123, numRuns: 150 },
    )
    expect(statuses.get(400)).toBeGreaterThan(10)
    expect(statuses.get(200) ?? 0, JSON.stringify([...statuses])).toBeGreaterThan(0)
  })
})

describe("bodies made to hurt", () => {
  const chat = "/v1/chat/completions"
  const message = { role: "user", content: "Hi" }
  const statusOf = async (body: unknown, init: RequestInit = {}) => {
    let status = 0
    const time = await processorTime(async () => {
      const response = await post(server, chat, body, init)
      await response.arrayBuffer()
      status = response.status
    })
    expect(time).toBeLessThan(4000)
    return status
  }

  test("deep, damaged, mislabelled and large ones are refused while a stream goes on", async () => {
    await besideAStream(async () => {
      expect(await statusOf("[".repeat(500_000))).toBe(400)
      expect(await statusOf(`{"messages":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`)).toBe(400)
      expect(await statusOf('{"model":"tiny"')).toBe(400)
      expect(await statusOf("")).toBe(400)
      expect(await statusOf("null")).toBe(400)
      expect(await statusOf(`{"__proto__":{"model":"tiny"},"constructor":1}`)).toBe(400)
      expect(await statusOf(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), {})).toBe(400)
      const invalid = Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])
      expect(await statusOf("", { body: invalid })).toBe(400)
      expect(await statusOf("{}", { headers: { "content-type": "text/plain" } })).toBe(415)
      expect(
        await statusOf("{}", { headers: { "content-type": "application/json", "content-encoding": "gzip" } }),
      ).toBe(415)
      expect(
        await statusOf(
          JSON.stringify({ model: "tiny", messages: [{ ...message, content: "x".repeat(2 << 20) }] }),
        ),
      ).toBe(413)
    })
  })

  test("many messages, tools, keys and long names", async () => {
    await besideAStream(async () => {
      const base = { model: "tiny", messages: [message], max_tokens: 1 }
      expect(await statusOf({ ...base, messages: Array.from({ length: 20_001 }, () => message) })).toBe(400)
      expect(await statusOf({ ...base, model: "m".repeat(100_000) })).toBe(400)
      const keys = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, i]))
      expect([200, 400]).toContain(await statusOf({ ...base, ...keys }))
      expect(await statusOf({ ...base, logit_bias: keys })).toBe(400)
      const tool = {
        type: "function",
        function: { name: "f", parameters: { type: "object", properties: keys } },
      }
      expect(await statusOf({ ...base, tools: [tool, tool] })).toBe(400)
      expect(await statusOf({ ...base, stop: Array.from({ length: 17 }, () => "x") })).toBe(400)
      expect(await statusOf({ ...base, n: 129 })).toBe(400)
      expect(await statusOf({ ...base, n: 40 })).toBe(400)
    })
  })

  test("a body without an end is cut off at the limit, a chunked one too", async () => {
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 16).fill(0x20)),
    })
    const init = { body: endless, duplex: "half" } as RequestInit
    // the server answers and closes while the client still sends; which of the two it sees first is a race
    const status = await statusOf("", init).catch(() => 413)
    expect(status).toBe(413)
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })
})

describe("connections", () => {
  test("slow headers and slow bodies end in time", async () => {
    await besideAStream(async () => {
      const [slowHeaders, slowBody] = await Promise.all([
        raw("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"),
        raw(
          "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
          { later: '"' },
        ),
      ])
      expect(slowHeaders).toMatch(/^HTTP\/1\.1 408/)
      expect(slowBody).toMatch(/^HTTP\/1\.1 408/)
    })
  })

  test("floods of headers, broken requests and smuggling are refused", async () => {
    const long = `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(40_000)}\r\n\r\n`
    expect(await raw(long)).toMatch(/^HTTP\/1\.1 431/)
    const many = Array.from({ length: 5000 }, (_, i) => `x${i}: y`).join("\r\n")
    expect(await raw(`GET /health HTTP/1.1\r\nhost: localhost\r\n${many}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/)
    expect(await raw("no request at all\r\n\r\n")).toMatch(/^HTTP\/1\.1 400/)
    const both = "content-length: 5\r\ntransfer-encoding: chunked"
    expect(
      await raw(`POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n${both}\r\n\r\n0\r\n\r\nGET /x`),
    ).toMatch(/^HTTP\/1\.1 400/)
  })

  test("paths go nowhere but to routes", async () => {
    const paths = [
      "/../../etc/passwd",
      "/v1/models/..%2f..%2f..%2fetc%2fpasswd",
      "/v1/models/%E0%A4%A",
      "/v1/models/%00",
      "//evil.example/v1/models",
      "/v1//models",
      "/v1/responses/__proto__",
      "/v1/responses/constructor/input_items",
      `/${"a/".repeat(5000)}`,
    ]
    for (const path of paths) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      expect(answer, path.slice(0, 50)).toMatch(/^HTTP\/1\.1 (?:400|404)/)
    }
    for (const [method, path] of [
      ["PUT", "/v1/chat/completions"],
      ["GET", "/v1/embeddings"],
      ["DELETE", "/v1/models"],
      ["TRACE", "/health"],
    ]) {
      const answer = await raw(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      expect(answer, `${method} ${path}`).toMatch(/^HTTP\/1\.1 405/)
    }
    expect((await fetch(`${server.url}/v1/moderations`, { method: "POST", body: "{}" })).status).toBe(404)
  })
})
