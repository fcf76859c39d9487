// Runs the built command as a person's shell would.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const command = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url))
export const stories = fileURLToPath(new URL("../../../shared/reference/stories260K", import.meta.url))
export const tinyLlama = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))

export const noStories = existsSync(stories) ? undefined : "../shared/reference/stories260K is not here"

export interface RunOptions {
  /** Written to standard input, which is then closed. Default: standard input is /dev/null. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process as soon as it has written to standard output. */
  readonly onOutput?: (child: ChildProcess, output: string) => void
  /** Called once with the process. */
  readonly onStart?: (child: ChildProcess) => void
  /** Standard input is a pipe that nobody writes to or closes. */
  readonly silent?: boolean
}

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
  readonly milliseconds: number
}

/** `cria` with these arguments; the environment holds no model, cache or colour settings of the machine. */
export function cria(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const start = performance.now()
  const nowhere = "/nonexistent-cria-test"
  const child = spawn(process.execPath, [command, ...args], {
    stdio: [options.input !== undefined || options.silent ? "pipe" : "ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: nowhere, HF_HOME: nowhere, ...options.env },
  })
  if (options.input !== undefined) child.stdin!.end(options.input)
  options.onStart?.(child)
  let out = ""
  let err = ""
  child.stdout!.on("data", (data: Buffer) => {
    out += data.toString()
    options.onOutput?.(child, out)
  })
  child.stderr!.on("data", (data: Buffer) => {
    err += data.toString()
  })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, out, err, milliseconds: performance.now() - start }))
  })
}
