// cria serve: models behind OpenAI's API on a port of this machine, until it is told to stop.
import { readFile } from "node:fs/promises"
import { totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { type Command, Option } from "commander"
import type { RequestLog } from "../server/index.js"
import type { Listener } from "../server/node.js"
import type { Context } from "./context.js"
import { UsageError } from "./failure.js"
import { harmless, oneLine } from "./format.js"
import { addEngineFlags, type ModelFlags, numberIn, repeated } from "./options.js"
import { servedModels } from "./served-models.js"
import type { Screen } from "./terminal.js"

interface Flags extends Omit<ModelFlags, "model" | "adapter"> {
  readonly model?: string[]
  readonly adapter?: string[]
  readonly host: string
  readonly port: number
  readonly apiKey?: string[]
  readonly apiKeyFile?: string
  readonly cors?: string[]
  readonly maxQueue: number
  readonly maxRunning: number
  readonly maxBody: number
  readonly maxMemory?: number
  readonly preload: boolean
  readonly page: boolean
  readonly json?: boolean
}

const whole = (min: number, max: number) => numberIn({ min, max, whole: true })

export function addServe(program: Command, context: Context, version: string): void {
  const command = program
    .command("serve")
    .summary("answer OpenAI's API on a port")
    .description(
      "Puts models behind OpenAI's API: chat, completions, responses, embeddings. Listens on this machine alone " +
        "unless --host says otherwise.",
    )
  command
    .option("-m, --model <[name=]source>", "a model and the name clients use; may be repeated", repeated)
    .option(
      "--adapter <[[model:]name=]folder>",
      "a low-rank adapter, which clients choose as model:name; may be repeated",
      repeated,
    )
  addEngineFlags(command)
    .option("--host <address>", "address to listen on; 0.0.0.0 opens it to the network", "127.0.0.1")
    .addOption(
      new Option("--port <number>", "port; 0 takes a free one").argParser(whole(0, 65_535)).default(11500),
    )
    .option("--api-key <key>", "a bearer key to ask for, or its sha256:<hash>; may be repeated", repeated)
    .option("--api-key-file <file>", "keys or hashes, one a line; also the environment variable CRIA_API_KEY")
    .option("--cors <origin>", 'a page origin that may call; "*" for all; may be repeated', repeated)
    .addOption(
      new Option("--max-running <number>", "answers computed at a time")
        .argParser(whole(1, 1024))
        .default(32),
    )
    .addOption(
      new Option("--max-queue <number>", "requests that may wait").argParser(whole(0, 100_000)).default(256),
    )
    .addOption(
      new Option("--max-body <bytes>", "largest request")
        .argParser(whole(1024, 2 ** 30))
        .default(2 * 2 ** 20),
    )
    .addOption(
      new Option("--max-memory <bytes>", "memory for all models (default: 3/4 of the machine's)").argParser(
        whole(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .option("--no-page", "answer the API alone, without the page")
    .option("--no-preload", "load the first model when it is asked for, too")
    .option("--json", "log one JSON object a line to standard output")
    .addHelpText(
      "after",
      `
Examples:
  $ cria serve --model meta-llama/Llama-3.2-1B-Instruct
  $ cria serve --model small=./1b.gguf --model large=./3b.gguf --port 8080
  $ cria serve --model small=./1b.gguf --adapter small:german=./runs/lora/model
  $ CRIA_API_KEY=secret cria serve --host 0.0.0.0 --model ./1b.gguf --json`,
    )
    .action((flags: Flags) => serve(context, flags, version))
}

async function serve(context: Context, flags: Flags, version: string): Promise<void> {
  const [{ createHandler, Models }, { listen, webFolder }] = await Promise.all([
    import("../server/index.js"),
    import("../server/node.js"),
  ])
  const { lifetime, err } = context
  const keys = await keysOf(context, flags)
  const loopback = isLoopback(flags.host)
  if (keys.length === 0 && !loopback)
    err.write(
      `${err.paint("yellow", "warning:")} whoever reaches ${oneLine(flags.host)} can use this server: set --api-key\n`,
    )
  const entries = await servedModels(context, flags, flags.model ?? ["default"], flags.adapter ?? [])
  const memoryBytes = flags.maxMemory ?? Math.floor(totalmem() * 0.75)
  const models = new Models(entries, { memoryBytes })
  const names = models.offers().map(({ name }) => name)
  lifetime.defer(() => models.dispose())
  if (flags.preload) (await models.lease(names[0], lifetime.signal)).release()
  const log = new Log(flags.json ? context.out : err)
  lifetime.defer(() => log.flush())
  const handler = createHandler(models, {
    apiKeyHashes: keys,
    cors: flags.cors,
    // a page of a stranger may point a name of its own at this machine; where keys are asked for that is no use
    allowedHosts: loopback && keys.length === 0 ? ["localhost", "127.0.0.1", "[::1]", flags.host] : undefined,
    maxRunning: flags.maxRunning,
    maxQueue: flags.maxQueue,
    maxBodyBytes: flags.maxBody,
    version,
    page: flags.page ? await webFolder(fileURLToPath(new URL("../web", import.meta.url))) : undefined,
    onRequest: (entry) => log.write(requestLine(flags, entry)),
    onError: (error) => log.write(errorLine(context, flags, error)),
  })
  const listener = await listen(handler, { host: flags.host, port: flags.port })
  const stopped = untilStopped(context, listener)
  announce(context, flags, listener.url, names, keys.length > 0)
  await stopped
}

const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d+){3}|::1)$/.test(host)

/** Hashes of the keys of the flags, the file and the environment. */
async function keysOf({ env }: Context, flags: Flags): Promise<string[]> {
  const { hashKey } = await import("../server/index.js")
  const file = flags.apiKeyFile === undefined ? "" : await readFile(flags.apiKeyFile, "utf8")
  const lines = file.split(/\r?\n/).map((line) => line.trim())
  const keys = [...(flags.apiKey ?? []), ...lines.filter((line) => line !== "" && !line.startsWith("#"))]
  if (flags.apiKeyFile !== undefined && keys.length === 0)
    throw new UsageError(`${oneLine(flags.apiKeyFile)} holds no key: write one a line`)
  if (env["CRIA_API_KEY"]) keys.push(env["CRIA_API_KEY"])
  return Promise.all(
    keys.map(async (key) => {
      if (!/^\S{1,512}$/.test(key)) throw new UsageError("an API key holds 1 to 512 characters and no spaces")
      return /^sha256:[0-9a-f]{64}$/.test(key) ? key : hashKey(key)
    }),
  )
}

/** First signal: no new requests, the running ones finish. Second: the end, at once. */
function untilStopped({ lifetime, err }: Context, listener: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false
    const undo = lifetime.onTerminate((cause) => {
      if (stopping) {
        undo()
        void listener.close({ now: true }).catch(() => {})
        lifetime.abort(cause)
        return
      }
      stopping = true
      if (err.isTerminal) err.write("\nstopping: running answers finish first; once more ends them\n")
      listener.close().finally(undo).then(resolve, reject)
    })
  })
}

function announce(
  { out, err }: Context,
  flags: Flags,
  url: string,
  names: readonly string[],
  secured: boolean,
): void {
  if (flags.json) {
    out.write(`${JSON.stringify({ event: "listening", url, models: names })}\n`)
    return
  }
  const key = secured ? ' -H "authorization: Bearer $CRIA_API_KEY"' : ""
  const body = JSON.stringify({ model: names[0], messages: [{ role: "user", content: "Hello" }] })
  const where = flags.page ? `${out.paint("cyan", `${url}/`)}   open it in a browser` : out.paint("cyan", url)
  out.write(
    `Listening on ${where}   models: ${names.map(oneLine).join(", ")}\n` +
      `OpenAI clients: base URL ${url}/v1, any API key${secured ? " of yours" : ""}; document: ${url}/openapi.json\n` +
      `  curl ${url}/v1/chat/completions -H "content-type: application/json"${key} -d '${oneLine(body)}'\n`,
  )
  if (err.isTerminal) err.write(err.paint("dim", "Ctrl-C stops the server.\n"))
}

/** Writes lines together, at most ten times a second: to hand one to the system takes as long as to answer its request. */
class Log {
  #lines = ""
  #timer: NodeJS.Timeout | undefined

  constructor(readonly screen: Screen) {}

  write(line: string): void {
    this.#lines += line
    this.#timer ??= setTimeout(() => this.flush(), 100)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines !== "") this.screen.write(this.#lines)
    this.#lines = ""
  }
}

function requestLine({ json }: Flags, entry: RequestLog): string {
  const milliseconds = Math.round(entry.milliseconds * 10) / 10
  if (json)
    return `${JSON.stringify({ event: "request", time: new Date().toISOString(), ...entry, milliseconds })}\n`
  const { method, path, status, model } = entry
  return `${method} ${oneLine(path.slice(0, 200))} ${status} ${milliseconds} ms ${oneLine(model ?? "")}\n`
}

function errorLine({ err }: Context, { json }: Flags, error: unknown): string {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (json) return `${JSON.stringify({ event: "error", time: new Date().toISOString(), message })}\n`
  return `${err.paint("red", "error:")} ${harmless(message)}\n`
}
