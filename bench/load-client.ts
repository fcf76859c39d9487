// Clients of the load on `cria serve`: polite ones, some that leave midway, and some that read slowly.
import { Agent, request as httpRequest } from "node:http"

/** What a request asks for, over HTTP and of the engine alike. */
export const task = { prompt: "Once upon a time there was a little llama", temperature: 1 }
/** Keeps the stories model from ending early, so that all requests are of one length. */
export const bias = { 1: -100, 2: -100 }

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
  readonly requests: number
  readonly tokens: number
  readonly stream: boolean
  /** A third of the requests leaves midway, a tenth reads slowly. */
  readonly rude?: boolean
}

type Manner = "polite" | "dropping" | "slow"

function ask(load: Load, agent: Agent, manner: Manner, seed: number): Promise<Outcome> {
  const { url, tokens, stream } = load
  const body = JSON.stringify({
    model: "m",
    ...task,
    max_tokens: tokens,
    logit_bias: bias,
    seed,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
  })
  return new Promise((resolve) => {
    const start = performance.now()
    let firstToken: number | undefined
    let events = 0
    let text = ""
    const end = (outcome: Omit<Outcome, "firstToken" | "tokens">, counted = events) =>
      resolve({ ...outcome, firstToken, tokens: counted })
    const outgoing = httpRequest(
      new URL("/v1/completions", url),
      {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (incoming) => {
        incoming.setEncoding("utf8")
        incoming.on("data", (chunk: string) => {
          firstToken ??= performance.now() - start
          if (manner === "dropping") {
            events += chunk.split("data: {").length - 1
            if (events > tokens / 3) {
              outgoing.destroy()
              end({ kind: "dropped" })
            }
          }
          text = (text + chunk).slice(-400)
          if (manner === "slow") {
            incoming.pause()
            setTimeout(() => incoming.resume(), 20)
          }
        })
        incoming.on("end", () => {
          if (incoming.statusCode === 429 || incoming.statusCode === 503) return end({ kind: "refused" })
          const counted = Number(/"completion_tokens":(\d+)/.exec(text)?.[1] ?? 0)
          const whole = incoming.statusCode === 200 && (!stream || text.endsWith("data: [DONE]\n\n"))
          end(whole ? { kind: "done" } : { kind: "error", detail: `${incoming.statusCode} ${text}` }, counted)
        })
        incoming.on("error", (error) => end({ kind: "error", detail: error.message }))
      },
    )
    outgoing.on("error", (error) => end({ kind: "error", detail: error.message }))
    outgoing.end(body)
  })
}

/** Runs a load to its end. */
export async function run(load: Load): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections })
  const outcomes: Outcome[] = []
  let next = 0
  const manner = (seed: number): Manner =>
    !load.rude ? "polite" : seed % 3 === 0 ? "dropping" : seed % 10 === 1 ? "slow" : "polite"
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      while (next < load.requests) {
        const seed = next++
        outcomes.push(await ask(load, agent, manner(seed), seed))
      }
    }),
  )
  agent.destroy()
  return outcomes
}
