// Clients of the load on `cria serve`: polite ones, some that leave midway, and some that read slowly. They speak HTTP on
// bare sockets, because what they take of a shared machine is taken from the server.
import { connect, type Socket } from "node:net"

/** What a request asks for, over HTTP and of the engine alike. */
export const task = { prompt: "Once upon a time there was a little llama", temperature: 1 }
/** Keeps the stories model from ending early, so that answers have the lengths that are asked for. */
export const bias = { 1: -100, 2: -100 }

/** Lengths of answers, so many tokens on average, from half to one and a half: equal ones would all end in the same step. */
export const lengthOf = (seed: number, tokens: number): number =>
  Math.max(1, Math.round(tokens * (0.5 + ((seed * 7) % 32) / 31)))

export interface Outcome {
  readonly kind: "done" | "dropped" | "refused" | "error"
  /** Milliseconds. */
  readonly firstToken?: number
  readonly tokens: number
  readonly detail?: string
}

export interface Load {
  readonly url: URL
  /** Connections that ask one thing after the other. */
  readonly connections: number
  /** Default: no end but that of the signal. */
  readonly requests?: number
  /** Drops all connections. */
  readonly signal?: AbortSignal
  /** Of an answer, on average. */
  readonly tokens: number
  readonly stream: boolean
  /** A third of the requests leaves midway, a tenth reads slowly. */
  readonly rude?: boolean
}

type Manner = "polite" | "dropping" | "slow"

/** A connection that asks one thing after the other, and is opened again after it was dropped. */
class Connection {
  readonly #url: URL
  #socket: Socket | undefined

  constructor(url: URL) {
    this.#url = url
  }

  async open(): Promise<Socket> {
    if (this.#socket && !this.#socket.destroyed) return this.#socket
    const socket = connect(Number(this.#url.port), this.#url.hostname).setNoDelay()
    socket.on("error", () => {}) // "close" follows
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject))
    return (this.#socket = socket)
  }

  close(): void {
    this.#socket?.destroy()
  }

  async ask({ tokens, stream, signal }: Load, manner: Manner, seed: number): Promise<Outcome> {
    const start = performance.now()
    const socket = await this.open()
    const maxTokens = lengthOf(seed, tokens)
    const body = JSON.stringify({
      model: "m",
      ...task,
      max_tokens: maxTokens,
      logit_bias: bias,
      seed,
      stream,
      ...(stream && { stream_options: { include_usage: true } }),
    })
    return new Promise((resolve) => {
      let firstToken: number | undefined
      let status: number | undefined
      let events = 0
      let tail = ""
      /** Bytes that are still to come, where the answer said how many. */
      let left = Number.POSITIVE_INFINITY
      const end = (kind: Outcome["kind"], tokens = events, detail?: string) => {
        socket.off("data", receive).off("close", lost)
        resolve({ kind, tokens, detail, firstToken })
      }
      const receive = (bytes: Buffer) => {
        let chunk = bytes.toString("latin1")
        left -= bytes.length
        if (status === undefined) {
          firstToken = performance.now() - start
          status = Number(chunk.slice(9, 12))
          const length = /\r\ncontent-length: (\d+)/i.exec(chunk)?.[1]
          chunk = chunk.slice(chunk.indexOf("\r\n\r\n") + 4)
          if (length !== undefined) left = Number(length) - chunk.length
        }
        tail = (tail + chunk).slice(-400)
        if (manner === "dropping") {
          events += chunk.split("data: {").length - 1
          if (events > maxTokens / 3) {
            socket.destroy()
            return end("dropped")
          }
        }
        if (left === 0 || tail.endsWith("\r\n0\r\n\r\n")) {
          if (status === 429 || status === 503) return end("refused")
          const counted = Number(/"completion_tokens":(\d+)/.exec(tail)?.[1] ?? 0)
          if (status === 200 && (!stream || tail.includes("data: [DONE]\n\n"))) end("done", counted)
          else end("error", counted, `${status} ${tail}`)
        } else if (manner === "slow") {
          socket.pause()
          setTimeout(() => socket.resume(), 20)
        }
      }
      const lost = () => end(signal?.aborted ? "dropped" : "error", events, "the connection was closed")
      socket.on("data", receive).on("close", lost)
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: ${this.#url.host}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\n\r\n${body}`,
      )
    })
  }
}

/** Runs a load to its end. */
export async function run(load: Load): Promise<Outcome[]> {
  const { url, requests = Number.POSITIVE_INFINITY, rude, signal } = load
  const connections = Array.from({ length: load.connections }, () => new Connection(url))
  const close = () => {
    for (const connection of connections) connection.close()
  }
  signal?.addEventListener("abort", close)
  const outcomes: Outcome[] = []
  const stopped = () => signal?.aborted ?? false
  let next = 0
  const manner = (seed: number): Manner =>
    !rude ? "polite" : seed % 3 === 0 ? "dropping" : seed % 10 === 1 ? "slow" : "polite"
  await Promise.all(
    connections.map(async (connection) => {
      while (next < requests && !stopped()) {
        const seed = next++
        outcomes.push(await connection.ask(load, manner(seed), seed))
      }
    }),
  )
  close()
  return outcomes
}
