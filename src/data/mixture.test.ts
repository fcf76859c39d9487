import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { Mixture } from "./mixture.js"
import { permutation } from "./permutation.js"
import type { TokenRecord } from "./record.js"
import { recordsInMemory } from "./record.js"
import { TokenCache, writeTokenCache } from "./token-cache.js"

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "cria-data-"))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

/** A record of one sequence, `length` times the id. */
const record = (id: number, length: number): TokenRecord => [
  { ids: new Int32Array(length).fill(id), loss: new Uint8Array(length).fill(1) },
]
const store = (first: number, count: number, length: number) =>
  recordsInMemory(Array.from({ length: count }, (_, i) => record(first + i, length)))

test("a permutation is a bijection, another for another seed, and moves things far", () => {
  for (const size of [1, 2, 3, 4, 5, 100, 1023, 1024, 1025]) {
    const order = permutation(size, 7)
    expect(new Set(Array.from({ length: size }, (_, i) => order(i))).size).toBe(size)
  }
  const [a, b] = [permutation(1000, 1), permutation(1000, 2)]
  const indices = Array.from({ length: 1000 }, (_, i) => i)
  expect(indices.filter((i) => a(i) === b(i)).length).toBeLessThan(20)
  // The mean distance of two numbers drawn from 0..999 is 333.
  const moved = indices.reduce((sum, i) => sum + Math.abs(a(i) - i), 0) / 1000
  expect(moved).toBeGreaterThan(250)
  expect(moved).toBeLessThan(420)
})

test("every epoch reads every record once, in another order", async () => {
  const mixture = new Mixture([{ name: "only", store: store(0, 50, 3) }], 1)
  const epochs = [[], [], []] as number[][]
  for (let i = 0; i < 150; i++) {
    const { record, epoch } = await mixture.next()
    epochs[epoch].push(record[0].ids[0])
  }
  for (const order of epochs)
    expect(order.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  expect(epochs[0]).not.toEqual(epochs[1])
  expect(epochs[1]).not.toEqual(epochs[2])
})

test("shares are by tokens and hold from the start", async () => {
  const mixture = new Mixture(
    [
      { name: "long", store: store(0, 40, 100), weight: 3 },
      { name: "short", store: store(100, 500, 10), weight: 1 },
    ],
    5,
  )
  const tokens = [0, 0]
  for (let i = 0; i < 400; i++) {
    const { record, source } = await mixture.next()
    tokens[source] += record[0].ids.length
    const share = tokens[0] / (tokens[0] + tokens[1])
    if (tokens[0] + tokens[1] > 2000) expect(Math.abs(share - 0.75)).toBeLessThan(0.05)
  }
  expect(mixture.epochs).toBeGreaterThan(1)
})

test("a cursor goes on exactly where it was taken, also across epochs", async () => {
  const make = () =>
    new Mixture(
      [
        { name: "a", store: store(0, 7, 4) },
        { name: "b", store: store(100, 30, 9), weight: 11 },
      ],
      3,
    )
  const straight = make()
  const expected: number[] = []
  const cursors = []
  for (let i = 0; i < 100; i++) {
    cursors.push(JSON.stringify(straight.cursor))
    expected.push((await straight.next()).record[0].ids[0])
  }
  for (const start of [0, 1, 13, 50, 99]) {
    const resumed = make()
    resumed.restore(JSON.parse(cursors[start]) as never)
    const rest = []
    for (let i = start; i < 100; i++) rest.push((await resumed.next()).record[0].ids[0])
    expect(rest).toEqual(expected.slice(start))
  }
})

test("a cursor of other sources, empty sources and wrong weights are refused", () => {
  const mixture = new Mixture([{ name: "a", store: store(0, 7, 4) }], 3)
  expect(() => mixture.restore({ sources: [{ name: "b", records: 1, tokens: 4 }] })).toThrow(
    InvalidOptionError,
  )
  expect(() => new Mixture([], 1)).toThrow(InvalidOptionError)
  expect(() => new Mixture([{ name: "a", store: recordsInMemory([]) }], 1)).toThrow("is empty")
  expect(() => new Mixture([{ name: "a", store: store(0, 1, 1), weight: 0 }], 1)).toThrow("positive")
})

test("a token cache gives back what was written, by number", async () => {
  const path = join(await folder(), "records.tokens")
  const records: TokenRecord[] = Array.from({ length: 300 }, (_, i) => [
    {
      ids: Int32Array.from({ length: 1 + (i % 7) }, (_, t) => 1000 * i + t),
      loss: Uint8Array.from({ length: 1 + (i % 7) }, (_, t) => t % 2),
    },
    { ids: Int32Array.from({ length: 500 }, (_, t) => i * t), loss: new Uint8Array(500) },
  ])
  await writeTokenCache(path, "made by a test", records)
  const cache = await TokenCache.open(path)
  onTestFinished(() => cache.close())
  expect(cache.fingerprint).toBe("made by a test")
  expect(cache.records).toBe(300)
  expect(cache.tokens).toBe(recordsInMemory(records).tokens)
  for (const i of [299, 0, 150, 6]) {
    expect(await cache.read(i)).toEqual(records[i])
    expect(cache.tokensOf(i)).toBe(501 + (i % 7))
  }
})

test("a damaged cache is refused, and no examples make no file", async () => {
  const path = join(await folder(), "records.tokens")
  await expect(writeTokenCache(path, "", [])).rejects.toThrow(InvalidFileError)
  await writeTokenCache(path, "x", [record(1, 10), record(2, 20)])
  const whole = await readFile(path)
  for (const cut of [0, 4, 20, 121, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, cut))
    await expect(TokenCache.open(path)).rejects.toThrow(InvalidFileError)
  }
  const longer = Buffer.from(whole)
  longer.writeInt32LE(11, 120) // the length of the first sequence
  await writeFile(path, longer)
  await expect(TokenCache.open(path)).rejects.toThrow("lengths")
})
