// What an error looks like to the person at the terminal: one or two lines that say what to do, and an exit code.
import { CommanderError } from "commander"
import { ContextOverflowError, CriaError, InvalidOptionError } from "../errors/index.js"
import { harmless } from "./format.js"
import { Interrupted } from "./lifetime.js"

/** 0 is success. */
export const exitCodes = { failure: 1, usage: 2, interrupted: 130 } as const

/** A command line that cannot be meant: exit code 2. */
export class UsageError extends InvalidOptionError {}

export interface Failure {
  readonly exitCode: number
  /** Empty where nothing is to be said. */
  readonly message: string
}

const systemErrors: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EPERM: "not permitted",
  ENOENT: "no such file or folder",
  ENOSPC: "the disk is full: make room, then try again",
  EROFS: "the disk is read-only",
  EISDIR: "this is a folder, a file is needed",
  ENOTDIR: "a part of the path is a file, not a folder",
  EMFILE: "too many files are open: raise the limit with ulimit -n",
  EDQUOT: "the disk quota is used up: make room, then try again",
}

/** `reason` is what the process was aborted with, if it was: then that is the failure, whatever was thrown. */
export function describeFailure(error: unknown, reason?: unknown): Failure {
  if (reason instanceof Interrupted) return { exitCode: reason.exitCode, message: "" }
  if (error instanceof Interrupted) return { exitCode: error.exitCode, message: "" }
  if (error instanceof CommanderError)
    return { exitCode: error.exitCode === 0 ? 0 : exitCodes.usage, message: "" }
  const exitCode = error instanceof UsageError ? exitCodes.usage : exitCodes.failure
  return { exitCode, message: twoLines(harmless(messageOf(error))) }
}

function messageOf(error: unknown): string {
  if (error instanceof ContextOverflowError)
    return (
      `the prompt has ${error.promptTokens} tokens, but the context holds ${error.contextLength}: ` +
      "shorten it, or make room with --context-length"
    )
  if (error instanceof CriaError) return error.message
  if (!(error instanceof Error)) return String(error)
  const { code, path } = error as NodeJS.ErrnoException
  const known = code === undefined ? undefined : systemErrors[code]
  if (known !== undefined) return path === undefined ? known : `${path}: ${known}`
  if (error instanceof RangeError && /allocat|memory|Array buffer/i.test(error.message))
    return `not enough memory (${error.message}): close other programs, or use smaller --weights or --context-length`
  return `${error.message || error.name}\nThis is a fault of Cria. CRIA_DEBUG=1 shows where it happened.`
}

/** Whether whoever runs this wants to see where errors come from. */
export const isDebugging = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): boolean => argv.includes("--verbose") || (env["CRIA_DEBUG"] ?? "") !== ""

/** Never more than two lines, never a wall of text. */
function twoLines(message: string): string {
  const lines = message.split("\n").filter((line) => line.trim() !== "")
  const kept = lines.slice(0, 2).map((line) => (line.length > 1000 ? `${line.slice(0, 1000)}…` : line))
  return kept.join("\n")
}
