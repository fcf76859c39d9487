// How attention becomes commands: the batch's keys and values into their slots, then tiles of a few tokens of one
// sequence each. Without a cache the batch gets pages of its own for the length of the operation.
import { UnsupportedError } from "../../errors/errors.js"
import type { PageLayout, SequenceRows } from "../../ops/ops.js"
import { real } from "./commands.js"
import type { Recording } from "./linear.js"
import type { Place } from "./memories.js"
import { ATTENTION_PART, ATTENTION_SLOTS, ATTENTION_TOKENS, Op, SCRATCH_BYTES } from "./opcodes.js"
import { layerPageBytes, type WasmPages } from "./pages.js"

interface AttentionOperands {
  readonly queryHeads: number
  readonly kvHeads: number
  readonly headWidth: number
  readonly tokens: number
  /** Addresses in the main heap. */
  readonly query: number
  readonly key: number
  readonly value: number
  readonly target: number
  readonly sequences: readonly SequenceRows[]
  readonly pages: WasmPages | undefined
  readonly layer: Place | undefined
}

/** Query rows (tokens x heads of a group) of a tile, unless one token alone has more. */
const tileRows = 32

/** Bytes of scratch that a tile needs: see kernels/attention.ts. */
function tileBytes(rows: number, headWidth: number): number {
  const width = Math.ceil(headWidth / 8) * 8
  return rows * (2 * width * 4 + ATTENTION_SLOTS * 4 + 12) + 64 + ATTENTION_PART * Math.max(width, 8) * 4
}

export function recordAttention(backend: Recording, x: AttentionOperands): void {
  const { queryHeads, kvHeads, headWidth, tokens } = x
  if (tokens === 0) return
  const group = queryHeads / kvHeads
  const tileTokens = Math.max(1, Math.min(ATTENTION_TOKENS, Math.floor(tileRows / group)))
  if (tileBytes(tileTokens * group, headWidth) > SCRATCH_BYTES) {
    throw new UnsupportedError(
      `attention with ${group} query heads of width ${headWidth} on one key head is too wide`,
    )
  }
  const main = backend.main()
  const recorder = x.layer?.recorder ?? main
  const { layout, sequences, address } = x.pages
    ? { layout: x.pages.layout, sequences: x.sequences, address: x.layer!.address }
    : ownPages(backend, x)
  const pageBytes = layerPageBytes(layout)
  let used = 0
  for (const { pages } of sequences) for (const page of pages) used = Math.max(used, page + 1)
  x.pages?.reserve(used)

  // Where the operands are: here, or copied over to the pages' heap.
  const queryBytes = tokens * queryHeads * headWidth * 4
  const keyBytes = tokens * kvHeads * headWidth * 4
  let { query, key, value, target } = x
  if (recorder !== main) {
    query = recorder.staging.allocate(queryBytes)
    key = recorder.staging.allocate(keyBytes)
    value = recorder.staging.allocate(keyBytes)
    target = recorder.staging.allocate(queryBytes)
    backend.copy(main, x.query, recorder, query, queryBytes)
    backend.copy(main, x.key, recorder, key, keyBytes)
    backend.copy(main, x.value, recorder, value, keyBytes)
  }

  const rows: number[] = []
  const tiles: number[] = []
  for (const { first, length, cached, pages } of sequences) {
    const table = recorder.integers(pages)
    for (let row = 0; row < length; row++) rows.push(table, cached + row)
    for (let row = 0; row < length; row += tileTokens) {
      tiles.push(first + row, Math.min(tileTokens, length - row), table, cached + row + 1)
    }
  }
  const element = layout.dtype === "f16" ? 2 : 4
  const { pageTokens } = layout
  const rowsAt = recorder.integers(Int32Array.from(rows))
  const store = [key, value, rowsAt, tokens, address, kvHeads, headWidth, pageTokens, element, pageBytes]
  backend.record(recorder, Op.StoreKeysValues, tokens, store)
  const tilesAt = recorder.integers(Int32Array.from(tiles))
  const scale = real(1 / Math.sqrt(headWidth))
  const attend = [
    query,
    target,
    tilesAt,
    address,
    kvHeads,
    group,
    headWidth,
    pageTokens,
    element,
    pageBytes,
    scale,
  ]
  backend.record(recorder, Op.Attention, (tiles.length / 4) * kvHeads, attend)

  if (recorder !== main) {
    backend.copy(recorder, target, main, x.target, queryBytes)
    recorder.staging.reset()
  }
}

/** Pages for a batch without a cache, f32, in the main heap's staging area. */
function ownPages(
  backend: Recording,
  { kvHeads, headWidth, sequences }: AttentionOperands,
): { layout: PageLayout; sequences: SequenceRows[]; address: number } {
  const pageTokens = ATTENTION_SLOTS
  let capacity = 0
  const withPages = sequences.map((sequence) => {
    const pages = Int32Array.from({ length: Math.ceil(sequence.length / pageTokens) }, () => capacity++)
    return { ...sequence, pages }
  })
  const layout: PageLayout = { layers: 1, kvHeads, headWidth, pageTokens, capacity, dtype: "f32" }
  const { staging } = backend.main()
  const address = staging.allocate(capacity * layerPageBytes(layout))
  // Only this operation uses them, and commands run in order.
  staging.reset()
  return { layout, sequences: withPages, address }
}
