// The messages of earlier chats, for the arrow keys: a file of the user's own, one JSON text a line.
import { appendFile, chmod, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"

const mostEntries = 1000
const longestEntry = 16_384
const largestFile = 4 * 2 ** 20

/** Where the history is: the user's state folder. */
export function historyPath(env: Readonly<Record<string, string | undefined>>): string {
  const state =
    env["XDG_STATE_HOME"] ||
    (process.platform === "win32" ? env["LOCALAPPDATA"] : undefined) ||
    join(env["HOME"] || homedir(), ".local", "state")
  return join(state, "cria", "chat-history")
}

/** Without a path nothing is kept. A disk that refuses is no reason to end a chat: it goes on without history. */
export class History {
  readonly #path: string | undefined
  readonly #entries: string[]

  private constructor(path: string | undefined, entries: string[]) {
    this.#path = path
    this.#entries = entries
  }

  static async open(path: string | undefined): Promise<History> {
    const entries = path === undefined ? [] : await read(path)
    const history = new History(path, entries.slice(-mostEntries))
    if (path !== undefined && entries.length > 2 * mostEntries) await history.#rewrite()
    return history
  }

  /** Newest first, as an editor wants it. */
  newestFirst(): string[] {
    return this.#entries.toReversed()
  }

  async add(text: string): Promise<void> {
    if (text === "" || text.length > longestEntry || text === this.#entries.at(-1)) return
    this.#entries.push(text)
    if (this.#entries.length > mostEntries) this.#entries.shift()
    if (this.#path === undefined) return
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
      await appendFile(this.#path, `${JSON.stringify(text)}\n`, { mode: 0o600 })
    } catch {
      // see the class
    }
  }

  async #rewrite(): Promise<void> {
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      await writeFile(temporary, this.#entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), {
        mode: 0o600,
      })
      await rename(temporary, this.#path!)
    } catch {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }
}

async function read(path: string): Promise<string[]> {
  try {
    const info = await stat(path)
    if (!info.isFile() || info.size > largestFile) return []
    if (process.platform !== "win32" && (info.mode & 0o077) !== 0) await chmod(path, 0o600)
    const lines = (await readFile(path, "utf8")).split("\n")
    return lines.flatMap((line) => {
      try {
        const entry: unknown = JSON.parse(line)
        return typeof entry === "string" && entry.length <= longestEntry ? [entry] : []
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}
