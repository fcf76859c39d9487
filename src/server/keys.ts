// Bearer keys. The configuration holds their SHA-256 hashes; what a client sends is hashed and compared in a time
// that does not depend on where they differ.
import { InvalidOptionError } from "../errors/index.js"
import { ApiError } from "./api-error.js"

/** `sha256:` and the hash in hex, as configurations hold a key. */
export async function hashKey(key: string): Promise<string> {
  return `sha256:${hex(await sha256(key))}`
}

export class Keys {
  readonly #hashes: readonly Uint8Array[]

  /** @throws InvalidOptionError for an entry that is no hash. */
  constructor(hashes: readonly string[]) {
    this.#hashes = hashes.map((hash, index) => {
      if (!/^sha256:[0-9a-f]{64}$/.test(hash))
        throw new InvalidOptionError(
          `apiKeyHashes[${index}] is no hash: expected "sha256:" and 64 hex digits, as hashKey makes them`,
        )
      return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hash.slice(7 + 2 * i, 9 + 2 * i), 16))
    })
  }

  /** @throws ApiError 401 unless there are no keys or the request brings one of them. */
  async check(request: Request): Promise<void> {
    if (this.#hashes.length === 0) return
    const given = /^Bearer +(\S{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1]
    const hash = await sha256(given ?? "")
    let found = 0
    for (const known of this.#hashes) {
      let difference = 0
      for (let i = 0; i < known.length; i++) difference |= known[i] ^ hash[i]
      found |= difference === 0 ? 1 : 0
    }
    if (given === undefined || found === 0)
      throw new ApiError(
        401,
        given === undefined
          ? "no API key: send it as a header, Authorization: Bearer KEY"
          : "this API key is not known here",
        { code: "invalid_api_key", headers: { "www-authenticate": "Bearer" } },
      )
  }
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
