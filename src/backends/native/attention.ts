// How attention becomes commands: the batch's keys and values into their slots, then tiles of a few tokens of one
// sequence each. A long context that few tiles read is split into ranges for the threads, and merged. Without a cache
// the batch gets pages of its own for the length of the operation.
import { UnsupportedError } from "../../errors/errors.js"
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
const ownPageTokens = 128
/** Units of attention that keep a thread's share of the work even. */
const unitsPerThread = 16

export function recordAttention(machine: Machine, x: AttentionOperands): void {
  const { queryHeads, kvHeads, headWidth, cache } = x
  const [tokens] = x.query.shape
  if (tokens === 0) return
  const group = queryHeads / kvHeads
  const plan = planOf(machine, x.sequences, { kvHeads, group, headWidth, layout: cache?.pages.layout })
  cache?.pages.reserve(plan.usedPages)
  const { pageTokens, capacity, dtype } = plan.layout
  const element = elementBytes(dtype)
  const pageBytes = machine.ask("pageBytes", kvHeads, headWidth, pageTokens, element)
  const address = cache ? cache.pages.layers[cache.layer] : machine.staging.allocate(capacity * pageBytes)
  const operands = (from: NativeTensor, to: NativeTensor, list: List) => [
    from.address,
    to.address,
    plan.data,
    address,
    kvHeads,
    group,
    headWidth,
    pageTokens,
    element,
    list.at,
  ]
  machine.record("StoreKeysValues", plan.pieces.count * kvHeads, operands(x.key, x.value, plan.pieces))
  // Scores are exponents of 2.
  const scale = Math.LOG2E / Math.sqrt(headWidth)
  const parts = plan.merges.count > 0 ? machine.staging.allocate(kvHeads * plan.partBytes) : 0
  const attend = [...operands(x.query, x.target, plan.tiles), scale, parts]
  machine.record("Attention", plan.tiles.count * kvHeads, attend)
  if (plan.merges.count > 0) {
    const merge = [...operands(x.query, x.target, plan.merges), scale, parts]
    machine.record("MergeAttention", plan.merges.count * kvHeads, merge)
  }
  machine.staging.reset()
}

/** A list of descriptions in the plan's data. */
interface List {
  readonly at: number
  readonly count: number
}

/** What the kernels are told about a batch; the same for all layers. See kernels/attention.cc. */
interface Plan {
  readonly form: PlanForm
  readonly layout: PageLayout
  readonly usedPages: number
  /** Address of the page tables and lists, all int32. */
  readonly data: number
  readonly pieces: List
  readonly tiles: List
  readonly merges: List
  /** Bytes, of one kv head, of the sums that wait for a merge. */
  readonly partBytes: number
}

interface PlanForm {
  readonly kvHeads: number
  readonly group: number
  readonly headWidth: number
  /** Absent without a cache. */
  readonly layout: PageLayout | undefined
}

/** Plans in the list of commands that is being recorded: layers ask for the same one again. */
const plans = new WeakMap<Machine, { list: number; known: Map<readonly SequenceRows[], Plan> }>()

function planOf(machine: Machine, sequences: readonly SequenceRows[], form: PlanForm): Plan {
  let recorded = plans.get(machine)
  if (recorded?.list !== machine.lists) {
    recorded = { list: machine.lists, known: new Map() }
    plans.set(machine, recorded)
  }
  const known = recorded.known.get(sequences)
  const fields = ["kvHeads", "group", "headWidth", "layout"] as const
  if (known && fields.every((field) => known.form[field] === form[field])) return known
  const plan = makePlan(machine, sequences, form)
  recorded.known.set(sequences, plan)
  return plan
}

function makePlan(machine: Machine, sequences: readonly SequenceRows[], form: PlanForm): Plan {
  const { group, headWidth } = form
  const tileTokens = machine.ask("attentionTile", group, headWidth)
  if (tileTokens === 0) {
    throw new UnsupportedError(
      `attention with ${group} query heads of width ${headWidth} on one key head is too wide`,
    )
  }
  const { layout, paged, usedPages } = pagesOf(sequences, form)
  const { pageTokens } = layout
  const rangeTokens = machine.ask("attentionRange", pageTokens)
  let tileCount = 0
  for (const { length } of sequences) tileCount += Math.ceil(length / tileTokens)
  const split = machine.threads > 1 && tileCount * form.kvHeads < unitsPerThread * machine.threads

  const data: number[] = []
  const pieces: number[] = []
  const tiles: number[] = []
  const merges: number[] = []
  let partRows = 0
  for (const { first, length, cached, pages } of paged) {
    const table = data.length
    for (const page of pages) data.push(page)
    for (let row = 0; row < length; ) {
      const slot = (cached + row) % pageTokens
      const count = Math.min(pageTokens - slot, length - row)
      pieces.push(first + row, count, pages[Math.floor((cached + row) / pageTokens)], slot)
      row += count
    }
    // Those with the most to read come first, so that the threads end together.
    for (let tile = Math.ceil(length / tileTokens) - 1; tile >= 0; tile--) {
      const row = tile * tileTokens
      const count = Math.min(tileTokens, length - row)
      const visible = cached + row + 1
      const ranges = Math.ceil((visible + count - 1) / rangeTokens)
      if (!split || ranges === 1) {
        tiles.push(first + row, count, table, visible, -1, 0)
        continue
      }
      merges.push(first + row, count, partRows, ranges, visible)
      for (let range = 0; range < ranges; range++) {
        tiles.push(first + row, count, table, visible, range, partRows)
        partRows += count * group
      }
    }
  }
  const append = (values: readonly number[], fields: number): List => {
    const at = data.length
    for (const value of values) data.push(value)
    return { at, count: values.length / fields }
  }
  const lists = { pieces: append(pieces, 4), tiles: append(tiles, 6), merges: append(merges, 5) }
  const partBytes = machine.ask("attentionPartBytes", partRows, headWidth)
  return { form, layout, usedPages, data: machine.integers(Int32Array.from(data)), ...lists, partBytes }
}

/** The sequences with their pages, which without a cache are f32 pages of this batch alone. */
function pagesOf(sequences: readonly SequenceRows[], { kvHeads, headWidth, layout }: PlanForm) {
  let usedPages = 0
  if (layout) {
    for (const { pages } of sequences) for (const page of pages) usedPages = Math.max(usedPages, page + 1)
    return { layout, paged: sequences, usedPages }
  }
  const paged = sequences.map((sequence): SequenceRows => {
    const count = Math.ceil(sequence.length / ownPageTokens)
    return { ...sequence, pages: Int32Array.from({ length: count }, () => usedPages++) }
  })
  const own: PageLayout = {
    layers: 1,
    kvHeads,
    headWidth,
    pageTokens: ownPageTokens,
    capacity: usedPages,
    dtype: "f32",
  }
  return { layout: own, paged, usedPages }
}
