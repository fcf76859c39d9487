// Which records of a source are kept from training, and views of stores that hold only some of their records.
import { mix } from "../data/permutation.js"
import type { RecordStore } from "../data/record.js"

/** Neighbouring records stay together, so that a held-out part of a document is not surrounded by what was learned. */
const stretch = 16

/**
 * Divides the records into those to learn from and those to measure: `fraction` of the stretches of 16, chosen by the
 * seed, at least one where there are two or more.
 */
export function holdOut(
  store: RecordStore,
  fraction: number,
  seed: number,
): { training: RecordStore; heldOut: RecordStore | undefined } {
  const stretches = Math.ceil(store.records / stretch)
  if (fraction === 0 || stretches < 2) return { training: store, heldOut: undefined }
  const count = Math.min(stretches - 1, Math.max(1, Math.round(fraction * stretches)))
  const order = Array.from({ length: stretches }, (_, i) => i).toSorted(
    (a, b) => mix(a ^ mix(seed)) - mix(b ^ mix(seed)),
  )
  const chosen = new Set(order.slice(0, count))
  const part = (wanted: boolean) =>
    subset(
      store,
      Int32Array.from({ length: store.records }, (_, i) => i).filter(
        (i) => chosen.has(Math.floor(i / stretch)) === wanted,
      ),
    )
  return { training: part(false), heldOut: part(true) }
}

/** The records with these numbers, in this order. */
function subset(store: RecordStore, numbers: Int32Array): RecordStore {
  let tokens = 0
  for (const number of numbers) tokens += store.tokensOf(number)
  return {
    records: numbers.length,
    tokens,
    tokensOf: (record) => store.tokensOf(numbers[record]),
    read: (record) => store.read(numbers[record]),
  }
}
