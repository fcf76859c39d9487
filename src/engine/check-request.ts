// What a request must say before the engine takes it in: tokens and an adapter that the model knows.
import { InvalidOptionError } from "../errors/index.js"

/** Throws InvalidOptionError where `what` has no tokens, or one that a vocabulary of this size does not have. */
export function checkTokens(ids: Int32Array, vocabularySize: number, what: string): void {
  if (ids.length === 0)
    throw new InvalidOptionError(`${what} has no tokens: the model needs at least one to go on from`)
  const wrong = ids.find((id) => id < 0 || id >= vocabularySize)
  if (wrong !== undefined) {
    throw new InvalidOptionError(
      `${what} has token ${wrong}, but the model knows tokens 0 to ${vocabularySize - 1}`,
    )
  }
}

/** Throws InvalidOptionError where an adapter is named that was not loaded. */
export function checkAdapter(
  name: string | undefined,
  adapters: ReadonlyMap<string, unknown> | undefined,
): void {
  if (name === undefined || adapters?.has(name)) return
  const known = [...(adapters?.keys() ?? [])].map((one) => JSON.stringify(one)).join(", ")
  throw new InvalidOptionError(
    `no adapter ${JSON.stringify(name.slice(0, 200))} was loaded with the model` +
      (known ? `, only ${known}` : ": name it in `adapters` when loading"),
  )
}
