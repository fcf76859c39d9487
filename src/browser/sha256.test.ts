import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { Sha256 } from "./sha256.js"

const authority = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 131 + (i >> 8)) & 255)

test("all lengths around the blocks, as node:crypto", () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = bytesOf(length)
    expect(new Sha256().update(bytes).digest()).toBe(authority(bytes))
  }
})

test("cut into pieces of every size", () => {
  const bytes = bytesOf(10_000)
  for (const piece of [1, 3, 63, 64, 65, 127, 4096]) {
    const hash = new Sha256()
    for (let at = 0; at < bytes.length; at += piece) hash.update(bytes.subarray(at, at + piece))
    expect(hash.digest()).toBe(authority(bytes))
  }
})
