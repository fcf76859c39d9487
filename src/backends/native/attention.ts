// How attention becomes commands: the batch's keys and values into their slots, then every token with every head.
// Without a cache the batch gets pages of its own for the length of the operation.
import type { PageLayout, SequenceRows } from "../../ops/ops.js"
import type { Machine } from "./machine.js"
import { elementBytes, type NativePages } from "./pages.js"
import type { NativeTensor } from "./tensor.js"

interface AttentionOperands {
  readonly queryHeads: number
  readonly kvHeads: number
  readonly headWidth: number
  readonly query: NativeTensor
  readonly key: NativeTensor
  readonly value: NativeTensor
  readonly target: NativeTensor
  readonly sequences: readonly SequenceRows[]
  readonly cache: { readonly pages: NativePages; readonly layer: number } | undefined
}

/** Slots of a page where there is no cache. */
const ownPageTokens = 64

export function recordAttention(machine: Machine, x: AttentionOperands): void {
  const { queryHeads, kvHeads, headWidth, cache } = x
  const [tokens] = x.query.shape
  if (tokens === 0) return
  const { layout, sequences, address } = cache
    ? { layout: cache.pages.layout, sequences: x.sequences, address: cache.pages.layers[cache.layer] }
    : ownPages(machine, x)
  let used = 0
  for (const { pages } of sequences) for (const page of pages) used = Math.max(used, page + 1)
  cache?.pages.reserve(used)

  const rows: number[] = []
  for (const { length, cached, pages } of sequences) {
    const table = machine.integers(pages)
    for (let row = 0; row < length; row++) rows.push(table, cached + row)
  }
  const rowsAt = machine.reals(Float64Array.from(rows))
  const element = elementBytes(layout)
  const { pageTokens } = layout
  const store = [x.key.address, x.value.address, rowsAt, address, kvHeads, headWidth, pageTokens, element]
  machine.record("StoreKeysValues", tokens, store)
  const group = queryHeads / kvHeads
  const attend = [
    x.query.address,
    x.target.address,
    rowsAt,
    address,
    kvHeads,
    group,
    headWidth,
    pageTokens,
    element,
  ]
  machine.record("Attention", tokens * queryHeads, [...attend, 1 / Math.sqrt(headWidth)])
  machine.staging.reset()
}

/** Pages for a batch without a cache, f32. */
function ownPages(
  machine: Machine,
  { kvHeads, headWidth, sequences }: AttentionOperands,
): { layout: PageLayout; sequences: SequenceRows[]; address: number } {
  let capacity = 0
  const withPages = sequences.map((sequence) => {
    const count = Math.ceil(sequence.length / ownPageTokens)
    return { ...sequence, pages: Int32Array.from({ length: count }, () => capacity++) }
  })
  const layout = { layers: 1, kvHeads, headWidth, pageTokens: ownPageTokens, capacity, dtype: "f32" } as const
  const bytes = machine.ask("pageBytes", kvHeads, headWidth, ownPageTokens, elementBytes(layout))
  return { layout, sequences: withPages, address: machine.staging.allocate(capacity * bytes) }
}
