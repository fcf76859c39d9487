// For tests: the server on a free port with a small random model that has the tokens of a chat, and with the
// stories model where it is at hand.
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Llama } from "cria"
import { createHandler, type Handler, type HandlerOptions } from "cria/server"
import { listen, type Listener, type ListenOptions } from "cria/server/node"
import { makeChatModel } from "../cli/chat-model.js"

export const stories = fileURLToPath(
  new URL("../../../shared/reference/stories260K/stories260K.bin", import.meta.url),
)
export const hasStories = existsSync(stories)

export interface RunningServer extends Listener {
  readonly llama: Llama
  readonly handler: Handler
  /** What the server reported that no client could help. */
  readonly errors: unknown[]
  /** Ends everything. */
  stop(): Promise<void>
}

/** A server with the chat model under the name "tiny", on one thread. */
export async function runServer(
  options: HandlerOptions & ListenOptions & { contextLength?: number } = {},
): Promise<RunningServer> {
  const { contextLength = 2048, ...rest } = options
  const folder = await mkdtemp(join(tmpdir(), "cria-server-"))
  const llama = await Llama.load(await makeChatModel(folder), { contextLength, threads: 1 })
  await rm(folder, { recursive: true })
  const errors: unknown[] = []
  const handler = createHandler({ tiny: llama }, { onError: (error) => errors.push(error), ...rest })
  const listener = await listen(handler, { port: 0, ...rest })
  return {
    ...listener,
    llama,
    handler,
    errors,
    stop: async () => {
      await listener.close({ now: true })
      await llama.dispose()
    },
  }
}

export const post = (
  server: Listener,
  path: string,
  body: unknown,
  init: RequestInit = {},
): Promise<Response> =>
  fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  })

/**
 * Milliseconds of processor time of this process while something runs: a bound that does not depend on what else the
 * machine does.
 */
export async function processorTime(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** Waits until a condition holds, at most twenty seconds. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error("it did not come true within twenty seconds")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
