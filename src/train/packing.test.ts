import { expect, test } from "vitest"
import { Mixture, recordsInMemory, type TokenRecord } from "../data/index.js"
import { Batches, packAll, type PackedBatch, type PackingOptions } from "./packing.js"

/** Documents of these lengths; tokens are numbered through. */
function documents(lengths: readonly number[]): TokenRecord[] {
  let next = 0
  return lengths.map((length) => [
    { ids: Int32Array.from({ length }, () => next++), loss: new Uint8Array(length).fill(1) },
  ])
}
const batchesOf = (records: readonly TokenRecord[], options: PackingOptions) =>
  new Batches(new Mixture([{ name: "a", store: recordsInMemory(records) }], 1), options)
const lengths = Array.from({ length: 40 }, (_, i) => 2 + ((i * 37) % 150))
const divided = { rows: 128, context: 48, divides: true }

/** The invariants of every batch. */
function check(batch: PackedBatch, { rows, context }: PackingOptions): void {
  expect(batch.ids.length).toBeLessThanOrEqual(rows)
  let row = 0
  for (const { first, length, cached } of batch.sequences) {
    expect({ first, cached }).toEqual({ first: row, cached: 0 })
    expect(length).toBeLessThanOrEqual(context)
    for (let i = 0; i < length; i++) expect(batch.positions[first + i]).toBe(i)
    row += length
  }
  expect(row).toBe(batch.ids.length)
  batch.outputs.forEach((output, i) => expect(batch.targets[i]).toBe(batch.ids[output] + 1))
}

test("every token of divided documents but the first of each is predicted exactly once an epoch", async () => {
  const records = documents(lengths)
  const batches = batchesOf(records, divided)
  const firsts = new Set(records.map(([{ ids }]) => ids[0]))
  const total = lengths.reduce((sum, length) => sum + length - 1, 0)
  const targets: number[] = []
  while (targets.length < total) {
    const batch = await batches.next()
    check(batch, divided)
    targets.push(...batch.targets)
  }
  const epoch = targets.slice(0, total)
  expect(new Set(epoch).size).toBe(total)
  expect(epoch.some((id) => firsts.has(id))).toBe(false)
})

test("a stream that is restored anywhere gives the same batches", async () => {
  const whole = batchesOf(documents(lengths), divided)
  const seen: { cursor: string; batch: PackedBatch }[] = []
  for (let i = 0; i < 30; i++) seen.push({ cursor: JSON.stringify(whole.cursor), batch: await whole.next() })
  for (const at of [0, 1, 2, 7, 15, 29]) {
    const restored = batchesOf(documents(lengths), divided)
    restored.restore(JSON.parse(seen[at].cursor))
    for (let i = at; i < Math.min(30, at + 4); i++) expect(await restored.next()).toEqual(seen[i].batch)
  }
})

test("whole records stay whole, and only tokens whose loss counts are outputs", async () => {
  const records = documents([20, 30, 40, 50])
  for (const [sequence] of records) sequence.loss.fill(0, 0, 10)
  const options = { rows: 60, context: 60, divides: false }
  const batches = batchesOf(records, options)
  for (let i = 0; i < 10; i++) {
    const batch = await batches.next()
    check(batch, options)
    for (const { rows, outputs } of batch.segments) expect(outputs).toBe(rows + 1 - 10)
  }
})

test("a record that no batch can hold is an error that says what to change", async () => {
  await expect(batchesOf(documents([100]), { rows: 50, context: 50, divides: false }).next()).rejects.toThrow(
    /takes 99 tokens, but a batch holds 50: raise batch.microTokens/,
  )
})

test("measuring goes through the records once, in order, up to a number of tokens", async () => {
  const store = recordsInMemory(documents(lengths))
  const targets: number[] = []
  for await (const batch of packAll(store, divided, Infinity)) targets.push(...batch.targets)
  expect(targets).toEqual(targets.toSorted((a, b) => a - b))
  let some = 0
  for await (const batch of packAll(store, divided, 300)) some += batch.targets.length
  expect(some).toBeLessThan(600)
})
