// A small server for the tests in a browser: folders under prefixes, ranges, with or without cross-origin isolation.
import { once } from "node:events"
import { open, stat } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join, normalize, sep } from "node:path"

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
}

export interface WebServer {
  readonly origin: string
  /** Requests so far: method, path, range. */
  readonly requests: { method: string; path: string; range: string | undefined }[]
  /** When set, an answer to a range breaks off after so many bytes. */
  breakAfter: number | undefined
  close(): Promise<void>
}

export interface WebServerOptions {
  readonly isolated: boolean
  readonly ranges?: boolean
}

/** Sends bytes `first` to `last` of a file through one buffer: a stream's garbage would take a core beside a fast client. */
async function send(path: string, first: number, last: number, response: ServerResponse): Promise<void> {
  const left = once(response, "close")
  const file = await open(path)
  try {
    const buffer = Buffer.allocUnsafe(1 << 20)
    for (let at = first; at <= last && !response.destroyed; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, last + 1 - at), at)
      if (bytesRead === 0) throw new Error(`${path} became shorter`)
      const written = new Promise<void>((resolve) => {
        response.write(buffer.subarray(0, bytesRead), () => resolve())
      })
      await Promise.race([written, left])
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

/** Serves `folders`, by their first path segment; a value that is a file is served under every name. */
export async function serveFolders(
  folders: Record<string, string>,
  { isolated, ranges = true }: WebServerOptions,
): Promise<WebServer> {
  const requests: WebServer["requests"] = []
  const state: { breakAfter: number | undefined } = { breakAfter: undefined }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost")
    const { range } = request.headers
    requests.push({ method: request.method ?? "", path: pathname, range })
    if (isolated) {
      response.setHeader("cross-origin-opener-policy", "same-origin")
      response.setHeader("cross-origin-embedder-policy", "require-corp")
    }
    const [prefix, ...rest] = normalize(decodeURIComponent(pathname)).split(sep).filter(Boolean)
    const folder = folders[prefix]
    const inside = pathname.endsWith("/") ? [...rest, "index.html"] : rest
    const isFile = folder !== undefined && (await stat(folder)).isFile()
    const path = folder && (isFile ? folder : join(folder, ...inside))
    const found = path ? await stat(path).catch(() => undefined) : undefined
    if (!path || !found?.isFile()) return void response.writeHead(404).end()
    const span = ranges ? /^bytes=(\d+)-(\d*)$/.exec(range ?? "") : null
    const first = span ? Number(span[1]) : 0
    const last = span?.[2] ? Math.min(Number(span[2]), found.size - 1) : found.size - 1
    if (first > last && found.size > 0)
      return void response.writeHead(416, { "content-range": `bytes */${found.size}` }).end()
    response.writeHead(span ? 206 : 200, {
      "content-type": types[extname(path)] ?? "application/octet-stream",
      "content-length": last - first + 1,
      etag: `"${found.size}-${Math.round(found.mtimeMs)}"`,
      ...(ranges && { "accept-ranges": "bytes" }),
      ...(span && { "content-range": `bytes ${first}-${last}/${found.size}` }),
    })
    if (request.method === "HEAD") return void response.end()
    const cut = span ? state.breakAfter : undefined
    const end = cut === undefined ? last : Math.min(last, first + cut - 1)
    if (found.size === 0) return void response.end()
    try {
      await send(path, first, end, response)
    } catch {
      return void response.destroy()
    }
    // after a while: a browser throws away what the page has not yet read of an answer that breaks
    if (end < last) setTimeout(() => response.destroy(), 100)
    else response.end()
  }
  const server: Server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    origin: `http://localhost:${port}`,
    requests,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
