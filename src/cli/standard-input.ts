// Reads a text from standard input without ever hanging on one that nobody writes to: a closed one, /dev/null, or
// a pipe that a build server or a parent process left open. Knows nothing of what the text is for.
import { fstatSync, type Stats } from "node:fs"
import { bytes } from "./format.js"
import { UsageError } from "./failure.js"
import type { Screen } from "./terminal.js"

const largest = 64 * 2 ** 20
const patience = 3000

export interface ReadOptions {
  /** Waits for the first byte as long as it takes: somebody has asked for standard input by name. */
  readonly wait: boolean
  readonly signal: AbortSignal
  readonly err: Screen
}

/**
 * The whole of standard input as UTF-8, "" when it is closed or empty. A pipe that stays silent for three
 * seconds counts as empty unless `wait`; once its first byte has come, its end is waited for.
 *
 * @throws UsageError for more than 64 MB and for a folder, the reason of the signal.
 */
export function readStandardInput(
  stdin: NodeJS.ReadStream,
  { wait, signal, err }: ReadOptions,
): Promise<string> {
  const kind = kindOfStandardInput()
  return new Promise((resolve, reject) => {
    if (kind?.isDirectory())
      return reject(new UsageError("standard input is a folder: pass a text file or a pipe"))
    const chunks: Buffer[] = []
    let size = 0
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener("abort", onAbort)
      stdin.off("data", onData).off("end", onEnd).off("error", onError).pause()
      // A pipe that is still open would keep the process alive after the answer; a file has nothing to let go.
      if ("unref" in stdin) stdin.unref()
      settle()
    }
    const onData = (chunk: Buffer) => {
      clearTimeout(timer)
      chunks.push(chunk)
      size += chunk.length
      if (size > largest)
        finish(() =>
          reject(new UsageError(`standard input is longer than ${bytes(largest)}: pass a shorter text`)),
        )
    }
    const onEnd = () => finish(() => resolve(new TextDecoder().decode(Buffer.concat(chunks))))
    const onError = onEnd // nothing more can be read: what came is the text
    const onAbort = () => finish(() => reject(signal.reason))
    const timer =
      wait || kind?.isFile()
        ? undefined
        : setTimeout(() => {
            err.write(
              err.paint(
                "dim",
                'Nothing came on standard input: going on without. (Pass "-" to wait for it.)',
              ) + "\n",
            )
            finish(() => resolve(""))
          }, patience)
    signal.addEventListener("abort", onAbort, { once: true })
    if (signal.aborted) return onAbort()
    stdin.on("data", onData).once("end", onEnd).once("error", onError)
  })
}

/** A file, a folder, a pipe; undefined where the system cannot tell. */
function kindOfStandardInput(): Stats | undefined {
  try {
    return fstatSync(0)
  } catch {
    return undefined
  }
}
