// Runs a frozen model over records and keeps the likeliest tokens of every place.
import type { TokenRecord } from "../data/record.js"
import { recordsInMemory } from "../data/record.js"
import { forward, type Model } from "../model/llama.js"
import { type TopTokens, topTokens } from "./methods/distributions.js"
import { packAll } from "./packing.js"
import type { TrainingBackend } from "./parameters.js"

/** The k likeliest tokens in the place of every token of the records; zero for the first of each sequence. */
export async function askTeacher(
  backend: TrainingBackend,
  teacher: Model,
  records: readonly TokenRecord[],
  { k, temperature, rows }: { readonly k: number; readonly temperature: number; readonly rows: number },
): Promise<TopTokens> {
  const size = Math.min(k, teacher.config.vocabularySize)
  // every place is asked about, whether the loss counts it or not
  const all = records.map((record) =>
    record.map(({ ids }) => ({ ids, loss: new Uint8Array(ids.length).fill(1) })),
  )
  const tokens = records.flat().reduce((sum, { ids }) => sum + ids.length, 0)
  const ids = new Int32Array(tokens * size)
  const p = new Float32Array(tokens * size)
  let place = 0
  for await (const batch of packAll(
    recordsInMemory(all),
    { rows, context: Infinity, divides: false },
    Infinity,
  )) {
    const scope = backend.scope()
    try {
      const top = await topTokens(backend, forward(backend, teacher, batch), size, temperature)
      for (const { firstOutput, outputs } of batch.segments) {
        place++ // nothing is said of the first token
        ids.set(top.ids.subarray(firstOutput * size, (firstOutput + outputs) * size), place * size)
        p.set(top.p.subarray(firstOutput * size, (firstOutput + outputs) * size), place * size)
        place += outputs
      }
    } finally {
      scope.end()
    }
  }
  return { k: size, ids, p }
}
