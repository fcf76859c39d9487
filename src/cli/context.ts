// What every command is given: the streams, the environment and the life of the process.
import type { Lifetime } from "./lifetime.js"
import type { Screen } from "./terminal.js"

export interface Context {
  readonly stdin: NodeJS.ReadStream
  /** Results only. */
  readonly out: Screen
  /** Everything that is said beside the result. */
  readonly err: Screen
  readonly env: Readonly<Record<string, string | undefined>>
  readonly lifetime: Lifetime
}
