// The live chart of a training run: a page on this machine alone that draws the run's log as it grows. The page asks for what
// is new every second; the run knows nothing of it.
import { open } from "node:fs/promises"
import { createServer, type Server, type ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { readFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"

const html = (title: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/uplot.css">
<link rel="stylesheet" href="/page.css">
<h1>${title}</h1>
<p id="state" role="status">Waiting for the first step.</p>
<main id="charts"></main>
<script src="/uplot.js"></script>
<script type="module" src="/page.js"></script>
`

const css = `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 1.5rem }
main > * { min-width: 0 }
.u-title { font-size: 1rem }
`

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
/** Bytes of the log that one answer brings at most; the page asks on. */
const chunkBytes = 2 ** 22

export interface Watch {
  readonly url: string
  close(): Promise<void>
}

/** Serves the chart of the log at `metrics`, which may not be there yet. */
export async function watchRun(metrics: string, title: string): Promise<Watch> {
  const modules = createRequire(import.meta.url)
  const fixed = new Map<string, readonly [type: string, body: string]>([
    ["/", ["text/html", html(title.replace(/[<>&"]/g, ""))]],
    ["/page.css", ["text/css", css]],
    [
      "/page.js",
      ["text/javascript", await readFile(fileURLToPath(new URL("./watch-page.js", import.meta.url)), "utf8")],
    ],
    [
      "/uplot.js",
      ["text/javascript", await readFile(modules.resolve("uplot/dist/uPlot.iife.min.js"), "utf8")],
    ],
    ["/uplot.css", ["text/css", await readFile(modules.resolve("uplot/dist/uPlot.min.css"), "utf8")]],
  ])
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const known = fixed.get(url.pathname)
    if (request.method !== "GET") return send(response, 405, "text/plain", "only GET")
    if (known) return send(response, 200, known[0], known[1])
    if (url.pathname !== "/metrics") return send(response, 404, "text/plain", "not found")
    readFrom(metrics, Number(url.searchParams.get("from") ?? 0)).then(
      (body) => send(response, 200, "application/json", JSON.stringify(body)),
      () => send(response, 500, "text/plain", "the log cannot be read"),
    )
  })
  await listen(server)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const listen = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "content-type": `${type}; charset=utf-8`,
    "content-security-policy": policy,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  })
  response.end(body)
}

/** The whole lines from a byte of the log on, and where the next ones begin. A log that was cut begins anew. */
async function readFrom(path: string, from: number): Promise<{ lines: string; next: number }> {
  const file = await open(path, "r").catch(() => undefined)
  if (!file) return { lines: "", next: 0 }
  try {
    const { size } = await file.stat()
    const start = Number.isSafeInteger(from) && from >= 0 && from <= size ? from : 0
    const bytes = Buffer.alloc(Math.min(chunkBytes, size - start))
    await file.read(bytes, 0, bytes.length, start)
    const end = bytes.lastIndexOf(0x0a) + 1
    return { lines: bytes.toString("utf8", 0, end), next: start + end }
  } finally {
    await file.close()
  }
}
