// GET over HTTP/1.1 with the face of fetch. Not fetch itself: that of Node 26 speaks HTTP/2 with windows so small
// that a download at 75 ms round trip ran at 3.3 MB/s, where HTTP/1.1 ran at 58. Follows no redirects.
import { type IncomingMessage, get as httpGet } from "node:http"
import { get as httpsGet } from "node:https"
import { Readable } from "node:stream"

/** What {@link transport} takes and a replacement for it, such as `fetch`, may be given. */
export type Transport = (
  url: URL,
  init: { headers: Record<string, string>; signal: AbortSignal; redirect: "manual" },
) => Promise<Response>

/** One GET; rejects when the connection fails before the headers, the body errors when it fails after. */
export const transport: Transport = (url, { headers, signal }) =>
  new Promise((resolve, reject) => {
    const get = url.protocol === "https:" ? httpsGet : httpGet
    const request = get(url, { headers, signal }, (message) => {
      try {
        resolve(toResponse(message))
      } catch (error) {
        message.destroy()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
    request.on("error", reject)
  })

function toResponse(message: IncomingMessage): Response {
  const headers = new Headers()
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2)
    headers.append(message.rawHeaders[at], message.rawHeaders[at + 1])
  const status = message.statusCode ?? 0
  const empty = headers.get("content-length") === "0" || status === 204 || status === 304
  if (empty) message.resume() // so that the connection can be used again
  const body = empty ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>)
  return new Response(body, { status, statusText: message.statusMessage, headers })
}
