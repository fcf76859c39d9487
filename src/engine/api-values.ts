// Values that every interface of another maker's API needs alike: ids of answers and calls, the settings whose range
// is wider there than here, the tokens of a text that are counted before it is read.
import type { Llama } from "./llama.js"

/** Random bytes are asked for in stock, which costs a twentieth. `randomUUID` is missing on pages without https. */
const stock = new Uint8Array(4096)
let used = stock.length

/** An unguessable id such as `chatcmpl-5f3a...`, of 128 random bits. */
export function newId(prefix: string): string {
  if (used === stock.length) {
    crypto.getRandomValues(stock)
    used = 0
  }
  let id = prefix
  for (const end = used + 16; used < end; used++) id += hex[stock[used]]
  return id
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Any whole number as a seed, which is not negative here. */
export const seedOf = (seed: number): number => ((seed % 2 ** 52) + 2 ** 52) % 2 ** 52

/** Elsewhere topP may be 0, which keeps one token. */
export const topPOf = (topP: number): number => (topP === 0 ? Number.MIN_VALUE : topP)

/** A text as the engine reads it: one start token first, where the model has one. */
export function idsOf({ tokenizer, config }: Llama, text: string | number[]): number[] {
  if (typeof text !== "string") return text
  const start = config.bos ?? tokenizer.bos
  const ids = tokenizer.encode(text)
  return start === undefined ? ids : [start, ...ids]
}
