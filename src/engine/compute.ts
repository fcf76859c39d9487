// The pass of one step through the model: chunks of many sequences as one batch, and of their rows the logits or
// the hidden states that are wanted.
import { type AdaptedRows, withAdapter, withRowAdapters } from "../adapters/index.js"
import type { ModelConfig } from "../model/config.js"
import { hiddenStates, type RunBlock } from "../model/llama.js"
import type { Ops } from "../ops/ops.js"
import type { Tensor } from "../tensor/tensor.js"
import type { EngineParts } from "./engine.js"
import { type Chunk, rowsOf } from "./scheduler.js"
import type { Sequence } from "./sequence.js"

export interface StepResult {
  /** [R, V], in the order of the chunks. */
  readonly logits: Float32Array
  /** [S, D], in the order of the chunks. */
  readonly states: Float32Array
}

const none = new Float32Array()

/** A step with more activations than this gives memory back after each block: what the next one uses is in the caches still. */
const activationBytes = 8 * 2 ** 20

/** Whether something is wanted of this token of a sequence: guesses are behind its last one. */
export const wanted = (sequence: Sequence, index: number): boolean =>
  sequence.wantsAll || index >= sequence.length - 1

/**
 * `cached` says how many slots of a chunk's sequence are filled before it; the logits may be written over those of an
 * earlier step, `spent`. Throws what `Backend.read` throws.
 */
export async function compute(
  parts: EngineParts,
  chunks: readonly Chunk[],
  cached: (chunk: Chunk) => number,
  spent: Float32Array,
): Promise<StepResult> {
  const { backend, model, pages } = parts
  const total = chunks.reduce((sum, chunk) => sum + rowsOf(chunk), 0)
  const ids = new Int32Array(total)
  const positions = new Int32Array(total)
  const logitRows: number[] = []
  const stateRows: number[] = []
  let row = 0
  const sequences = chunks.map((chunk) => {
    const { sequence, first, count, guesses } = chunk
    const length = rowsOf(chunk)
    for (let i = 0; i < length; i++) {
      ids[row + i] = i < count ? sequence.token(first + i) : guesses[i - count]
      positions[row + i] = sequence.firstPosition + first + i
      if (wanted(sequence, first + i)) (sequence.wantsStates ? stateRows : logitRows).push(row + i)
    }
    row += length
    return { first: row - length, length, cached: cached(chunk), pages: sequence.place.cache!.pages }
  })
  const scope = backend.scope()
  try {
    const batch = { ids, positions, sequences, outputs: Int32Array.from([...logitRows, ...stateRows]) }
    const runBlock: RunBlock | undefined =
      activations(model.config, total) <= activationBytes
        ? undefined
        : (block, x_TD) => {
            const inner = backend.scope()
            let y_TD: Tensor | undefined
            try {
              return (y_TD = block(x_TD))
            } finally {
              inner.end(y_TD && [y_TD])
            }
          }
    const x_RD = hiddenStates(adapted(parts, chunks, total), model, batch, pages, runBlock)
    if (stateRows.length === 0)
      return { logits: await backend.read(backend.linear(x_RD, model.output), spent), states: none }
    const part = (first: number, count: number) =>
      backend.rows(
        x_RD,
        Int32Array.from({ length: count }, (_, i) => first + i),
      )
    const states_SD = part(logitRows.length, stateRows.length)
    if (logitRows.length === 0) return { logits: none, states: await backend.read(states_SD) }
    const logits = await backend.read(backend.linear(part(0, logitRows.length), model.output), spent)
    return { logits, states: await backend.read(states_SD) }
  } finally {
    scope.end()
  }
}

/** Bytes that a pass over so many tokens makes, roughly: eight rows of the model's width and four of the feed-forward's. */
const activations = ({ layers, width, feedForwardWidth }: ModelConfig, tokens: number): number =>
  4 * tokens * layers * (8 * width + 4 * feedForwardWidth)

/** The operations of a step: with an adapter where all rows have the same one, else with those of some rows each. */
function adapted({ backend, adapters }: EngineParts, chunks: readonly Chunk[], total: number): Ops {
  const rows = new Map<string, number[]>()
  let row = 0
  for (const chunk of chunks) {
    const { adapter } = chunk.sequence
    const own = adapter === undefined ? [] : (rows.get(adapter) ?? [])
    for (let i = 0; i < rowsOf(chunk); i++) own.push(row + i)
    if (adapter !== undefined) rows.set(adapter, own)
    row += rowsOf(chunk)
  }
  if (!adapters || rows.size === 0) return backend
  const parts = [...rows].map(([name, own]): AdaptedRows => {
    return { adapter: adapters.get(name)!, rows: Int32Array.from(own) }
  })
  return parts[0].rows.length === total
    ? withAdapter(backend, parts[0].adapter)
    : withRowAdapters(backend, parts)
}
