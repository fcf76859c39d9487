// A model hub on the loopback for the tests: the model and tree API with pages, resolve with redirects to a second
// server that stores the bytes, ETags, checksums and ranges. Tests bend its behaviour through two hooks.
import { createHash } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const commit = "c0ffee".padEnd(40, "0")

/** A request that reached the storage server. */
export interface StorageRequest {
  readonly path: string
  readonly bytes: Buffer
  /** First byte asked for. */
  readonly start: number
  /** Number of requests for this file so far, this one included. */
  readonly attempt: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Answers as an honest server would, with the first `most` bytes of the body only, then cuts the line. */
  readonly serve: (most?: number) => void
}

export interface FakeHub {
  readonly url: string
  readonly storageUrl: string
  readonly files: Map<string, Buffer>
  /** Every request: server, path, and the headers that matter. */
  readonly log: {
    server: "hub" | "storage"
    path: string
    authorization: string | undefined
    range: string | undefined
  }[]
  /** Changes a tree entry before it is sent. */
  bendEntry: (entry: TreeEntry) => unknown
  /** Return true when the hook has answered. */
  onHub: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  onStorage: (request: StorageRequest) => boolean
  /** Entries on a page of the tree. */
  pageSize: number
  close(): Promise<void>
}

export interface TreeEntry {
  type: string
  path: string
  size: number
  oid: string
  lfs?: { oid: string; size: number; pointerSize: number }
}

export const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")
export const gitHash = (bytes: Buffer) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")

/** Large files are kept as git LFS does: by SHA-256, on the storage server. */
export const isLarge = (path: string) => /\.(?:safetensors|gguf|pth|bin)$/.test(path)

/** Bytes that differ everywhere, the same on every run. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed >>> 0
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

/** Starts a hub that holds `owner/name` with these files. */
export async function startHub(contents: Record<string, Buffer | string>): Promise<FakeHub> {
  const files = new Map(
    Object.entries(contents).map(([path, body]) => [
      path,
      typeof body === "string" ? Buffer.from(body) : body,
    ]),
  )
  const attempts = new Map<string, number>()
  const hubServer = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://x").pathname)
    note("hub", request, path)
    if (!hub.onHub(request, response, path)) answer(hub, request, response, path)
  })
  const storageServer = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://x").pathname).slice(1)
    note("storage", request, path)
    const bytes = files.get(path)
    if (!bytes) return void response.writeHead(404).end()
    const attempt = (attempts.get(path) ?? 0) + 1
    attempts.set(path, attempt)
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0)
    const serve = (most?: number) => serveBytes(response, bytes, start, most)
    const context = { path, bytes, start, attempt, request, response, serve }
    if (!hub.onStorage(context)) serve()
  })
  const note = (server: "hub" | "storage", request: IncomingMessage, path: string) => {
    const { authorization, range } = request.headers
    hub.log.push({ server, path, authorization, range })
  }
  const [url, storageUrl] = await Promise.all([listen(hubServer), listen(storageServer)])
  const hub: FakeHub = {
    url,
    storageUrl,
    files,
    log: [],
    bendEntry: (entry) => entry,
    onHub: () => false,
    onStorage: () => false,
    pageSize: 1000,
    async close() {
      await Promise.all([hubServer, storageServer].map((server) => stop(server)))
    },
  }
  return hub
}

function answer(hub: FakeHub, request: IncomingMessage, response: ServerResponse, path: string): void {
  const json = (body: unknown, headers = {}) =>
    void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  if (/^\/api\/models\/owner\/name\/revision\/(?:main|v1|refs\/pr\/1|c0ffee0+)$/.test(path))
    return json({ id: "owner/name", sha: commit, gated: false })
  if (path === `/api/models/owner/name/tree/${commit}`) return sendTree(hub, request, json)
  const cacheRoot = "/api/resolve-cache/models/owner/name/"
  if (path.startsWith(cacheRoot)) {
    const bytes = hub.files.get(path.slice(cacheRoot.length))!
    return void response
      .writeHead(200, { etag: `"${gitHash(bytes)}"`, "content-length": bytes.length })
      .end(bytes)
  }
  const root = `/owner/name/resolve/${commit}/`
  const file = path.startsWith(root) ? path.slice(root.length) : undefined
  const bytes = file === undefined ? undefined : hub.files.get(file)
  if (file === undefined || !bytes)
    return void response.writeHead(404, { "x-error-code": file ? "EntryNotFound" : "RepoNotFound" }).end()
  const large = isLarge(file)
  response
    .writeHead(large ? 302 : 307, {
      "x-repo-commit": commit,
      "x-linked-size": bytes.length,
      "x-linked-etag": `"${large ? sha256(bytes) : gitHash(bytes)}"`,
      location: large ? `${hub.storageUrl}/${file}?signature=secret` : cacheRoot + file,
    })
    .end()
}

function sendTree(
  hub: FakeHub,
  request: IncomingMessage,
  json: (body: unknown, headers?: Record<string, string>) => void,
): void {
  const url = new URL(request.url!, hub.url)
  const from = Number(url.searchParams.get("cursor") ?? 0)
  const all = [...hub.files].map(([path, bytes]): TreeEntry => {
    const size = bytes.length
    const entry = { type: "file", path, size, oid: gitHash(bytes) }
    return isLarge(path) ? { ...entry, lfs: { oid: sha256(bytes), size, pointerSize: 134 } } : entry
  })
  const page = all.slice(from, from + hub.pageSize).map((entry) => hub.bendEntry(entry))
  const next = from + hub.pageSize
  // The link names the public hub, as a mirror's answer would: only its cursor may be followed.
  const link = `<https://hub.invalid/api/models/owner/name/tree/${commit}?recursive=true&cursor=${next}>; rel="next"`
  json(
    [{ type: "directory", path: "folder", size: 0, oid: "0".repeat(40) }, ...page],
    next < all.length ? { link } : {},
  )
}

function serveBytes(response: ServerResponse, bytes: Buffer, start: number, most?: number): void {
  const etag = `"storage-${sha256(bytes).slice(0, 8)}"`
  const body = bytes.subarray(start)
  const range = start > 0 ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}
  response.writeHead(start > 0 ? 206 : 200, { etag, "content-length": body.length, ...range })
  if (most === undefined || most >= body.length) return void response.end(body)
  response.write(body.subarray(0, most), () => setTimeout(() => response.destroy(), 5))
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
}

/** A new folder that is deleted at the end. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "cria-hub-"))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
