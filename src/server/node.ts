// The handler on a port (Node only): bounds on connections, headers and time, and an orderly end.
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { InvalidOptionError } from "../errors/index.js"
import type { Handler } from "./handler.js"
import { collectWhenIdle } from "./idle-memory.js"
import type { Reply } from "./reply.js"

export { type WebFolder, webFolder } from "./web-folder.js"

export interface ListenOptions {
  /** Default 127.0.0.1: this machine alone. */
  host?: string
  /** 0 takes any free one. Default 11500. */
  port?: number
  /** Connections at a time; more are closed at once. Default 1024. */
  maxConnections?: number
  /** Milliseconds until the headers, and the whole request, have to be here. Defaults 10000 and 60000. */
  headersTimeout?: number
  requestTimeout?: number
}

export interface Listener {
  readonly url: string
  readonly port: number
  /**
   * Lets the running answers finish while new requests are told 503, then closes. With `now` (also later, a second
   * time) they end at once.
   */
  close(options?: { now?: boolean }): Promise<void>
}

export const defaultPort = 11500

/** @throws InvalidOptionError where the address cannot be had. */
export async function listen(handler: Handler, options: ListenOptions = {}): Promise<Listener> {
  const { host = "127.0.0.1", port = defaultPort, maxConnections = 1024 } = options
  const answer = getRequestListener(
    async (request, { outgoing }) => {
      const reply = await handler.answer(request)
      if (reply instanceof Response) return reply
      send(reply, outgoing as ServerResponse)
      return RESPONSE_ALREADY_SENT
    },
    { overrideGlobalObjects: false },
  )
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: options.headersTimeout ?? 10_000,
      requestTimeout: options.requestTimeout ?? 60_000,
      connectionsCheckingInterval: 2000,
      keepAliveTimeout: 5000,
      noDelay: true,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  )
  server.maxConnections = maxConnections
  server.maxHeadersCount = 100
  collectWhenIdle(server)
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(describe(error, host, port)))
    server.listen({ host, port, backlog: 511 }, resolve)
  })
  const address = server.address() as AddressInfo
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address
  return {
    port: address.port,
    url: `http://${name}:${address.port}`,
    close: async ({ now = false } = {}) => {
      if (!now) {
        await handler.drain() // whoever comes meanwhile is told 503
        server.closeIdleConnections()
        // the last bytes of finished answers leave before their connections do
        await Promise.race([closeServer(server), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
      }
      await handler.close()
      const closed = closeServer(server)
      server.closeAllConnections()
      await closed
    },
  }
}

/** Writes a reply to the socket. That a client leaves, the routes hear by the signal of its request. */
function send({ status, headers, body }: Reply, outgoing: ServerResponse): void {
  if (typeof body === "string") {
    outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body)
    return
  }
  outgoing.writeHead(status, headers)
  void body.write({
    write: (packet) => packet === "" || outgoing.write(packet),
    room: () =>
      new Promise((resolve) => {
        if (outgoing.destroyed) return resolve()
        const done = () => {
          outgoing.off("drain", done).off("close", done)
          resolve()
        }
        outgoing.on("drain", done).on("close", done)
      }),
    end: (packet) => void outgoing.end(packet),
    destroy: (error) => void outgoing.destroy(error),
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

function describe(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === "EADDRINUSE")
    return new InvalidOptionError(
      `port ${port} of ${host} is in use: choose another port, or end what listens there`,
    )
  if (error.code === "EACCES")
    return new InvalidOptionError(`port ${port} of ${host} may not be used: choose one from 1024`)
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND")
    return new InvalidOptionError(`${host} is no address of this machine`)
  return error
}
