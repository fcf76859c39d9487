#!/usr/bin/env node
// The entry of the command line: signals, the last word on errors, and the exit code. Knows no command.
import { readFileSync } from "node:fs"
import type { Context } from "./context.js"
import { describeFailure, isDebugging } from "./failure.js"
import { Lifetime } from "./lifetime.js"
import { buildProgram } from "./program.js"
import { startPage } from "./start-page.js"
import { screenOn } from "./terminal.js"

const lifetime = new Lifetime()
const context: Context = {
  get stdin() {
    return process.stdin
  },
  out: screenOn(process.stdout),
  err: screenOn(process.stderr),
  env: process.env,
  lifetime,
}
const debugging = isDebugging(process.argv, process.env)
/** How long a command may take to stop by itself before the process ends under it, in ms. */
const grace = 1500

function listen(): void {
  let interruptedAt = Number.NEGATIVE_INFINITY
  process.on("SIGINT", () => {
    // npx passes on a Ctrl-C that the terminal has sent to us as well: two at once are one.
    const now = performance.now()
    if (now - interruptedAt < 300) return
    interruptedAt = now
    if (lifetime.signal.aborted) process.exit(130)
    lifetime.interrupt()
  })
  process.on("SIGTERM", () => lifetime.terminate("SIGTERM"))
  process.on("SIGHUP", () => lifetime.terminate("SIGHUP"))
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") lifetime.abort("EPIPE")
    else void end(error)
  })
  process.stderr.on("error", () => {}) // nobody is left to hear of it
  process.on("uncaughtException", (error) => void end(error))
  process.on("unhandledRejection", (error) => void end(error))
  lifetime.signal.addEventListener("abort", () => {
    setTimeout(() => void end(lifetime.signal.reason), grace).unref()
  })
}

let ending = false

async function end(error?: unknown): Promise<void> {
  if (ending) return
  ending = true
  await lifetime.close()
  const { err, out } = context
  const failure = error === undefined ? undefined : describeFailure(error, lifetime.signal.reason)
  const exitCode = failure?.exitCode ?? 0
  if (failure && failure.message !== "")
    err.write(`${err.paint(["red", "bold"], "error:")} ${failure.message}\n`)
  if (failure && failure.message !== "" && debugging && error instanceof Error)
    err.write(`${stackOf(error)}\n`)
  setTimeout(() => process.exit(exitCode), 1000) // a reader that does not read cannot hold the process
  await out.flush()
  await err.flush()
  process.exit(exitCode)
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ""
  return `${error.stack ?? error.message}${cause}`
}

function version(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  return (JSON.parse(file) as { version: string }).version
}

listen()
try {
  if (process.argv.length <= 2) startPage(context, version())
  else await buildProgram(context, version()).parseAsync(process.argv)
  await end(lifetime.signal.aborted ? lifetime.signal.reason : undefined)
} catch (error) {
  await end(error)
}
