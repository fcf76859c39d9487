// The built page as answers (Node only). All its files are read into memory at the start, and only those are
// answered: no path of a request ever reaches the file system.
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { extname, join, sep } from "node:path"

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
}

/**
 * What a page is allowed: its own scripts and styles, WebAssembly, workers (from its own files, or from a Blob where
 * those do not load), and reading models from other servers. No framing, no plugins, no inline script.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

const security: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  // these three make the page cross-origin isolated, so that threads can share memory
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
}

/** Answers GET and HEAD of the page's files; undefined for every other request. */
export type WebFolder = (request: Request, path: string) => Response | undefined

/** Reads a folder of built files; index.html is answered at "/". */
export async function webFolder(folder: string): Promise<WebFolder> {
  const files = new Map<string, { bytes: Uint8Array<ArrayBuffer>; headers: Record<string, string> }>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const full = join(entry.parentPath, entry.name)
    const path = full.slice(folder.length).split(sep).filter(Boolean).join("/")
    const bytes = new Uint8Array(await readFile(full))
    const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 22)
    files.set(`/${path === "index.html" ? "" : path}`, {
      bytes,
      headers: {
        ...security,
        "content-type": types[extname(path)] ?? "application/octet-stream",
        "content-length": String(bytes.length),
        etag: `"${hash}"`,
        // the bundler writes a hash into the names of what it makes
        "cache-control": path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache",
      },
    })
  }
  return (request, path) => {
    const file = files.get(path)
    if (!file || (request.method !== "GET" && request.method !== "HEAD")) return undefined
    const { bytes, headers } = file
    if (request.headers.get("if-none-match") === headers.etag) {
      const { "content-length": _, ...rest } = headers
      return new Response(null, { status: 304, headers: rest })
    }
    return new Response(request.method === "HEAD" ? null : bytes, { headers })
  }
}
