import { beforeEach, describe, expect, test } from "vitest"
import type { PageStore } from "../ops/ops.js"
import { KvCache } from "./kv-cache.js"

const size = 4

/** Records copies; holds nothing. */
class FakeStore implements PageStore {
  readonly layout
  readonly copies: [number, number][] = []
  reserved = 0
  constructor(capacity: number) {
    this.layout = { layers: 1, kvHeads: 1, headWidth: 2, pageTokens: size, capacity, dtype: "f32" as const }
  }
  reserve(count: number): void {
    this.reserved = Math.max(this.reserved, count)
  }
  copy(from: number, to: number): void {
    this.copies.push([from, to])
  }
  free(): void {}
}

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

describe("KvCache", () => {
  let store: FakeStore
  let cache: KvCache
  beforeEach(() => {
    store = new FakeStore(8)
    cache = new KvCache(store)
  })

  /** A sequence with these tokens stored, reusing what can be reused. */
  const fill = (ids: number[]) => {
    const sequence = cache.open(ids)
    const reused = sequence.length
    expect(sequence.reserve(ids.length - reused)).toBe(true)
    sequence.commit(ids.slice(reused))
    return { sequence, reused }
  }

  test("takes pages as tokens come and gives them all back", () => {
    const { sequence } = fill(range(9))
    expect(sequence.pages.length).toBe(3)
    expect(cache.usedPages).toBe(3)
    sequence.release()
    expect(cache.freePages).toBe(8)
  })

  test("a later prompt shares the full pages of an earlier one, but runs its last token itself", () => {
    const first = fill(range(9))
    const pages = [...first.sequence.pages]
    expect(fill(range(9)).reused).toBe(8)
    expect(fill(range(8)).reused).toBe(4)
    expect(fill([...range(6), 99, 98, 97]).reused).toBe(4)
    first.sequence.release()
    const again = fill(range(12))
    expect(again.reused).toBe(8)
    expect([...again.sequence.pages.subarray(0, 2)]).toEqual(pages.slice(0, 2))
  })

  test("the same tokens after other tokens are not shared", () => {
    fill([...range(4), ...range(4, 50), 0])
    expect(fill([...range(4, 20), ...range(4, 50), 0]).reused).toBe(0)
  })

  test("two sequences that compute the same prompt side by side end on the same pages", () => {
    const [a, b] = [cache.open(range(9)), cache.open(range(9))]
    for (const sequence of [a, b]) expect(sequence.reserve(9)).toBe(true)
    a.commit(range(9))
    b.commit(range(9))
    expect([...b.pages.subarray(0, 2)]).toEqual([...a.pages.subarray(0, 2)])
    expect(b.pages[2]).not.toBe(a.pages[2])
    expect(cache.usedPages).toBe(4)
  })

  test("a fork copies the open page when it writes, the last holder does not", () => {
    const { sequence } = fill(range(6))
    const fork = sequence.fork()
    expect(fork.reserve(1)).toBe(true)
    expect(store.copies).toEqual([[sequence.pages[1], fork.pages[1]]])
    expect(fork.pages[0]).toBe(sequence.pages[0])
    expect(sequence.reserve(1)).toBe(true)
    expect(store.copies.length).toBe(1)
  })

  test("idle prefixes make room, leaves before the pages they continue", () => {
    fill(range(13)).sequence.release()
    expect(cache.freePages).toBe(8)
    const other = fill(range(24, 100))
    expect(other.sequence.pages.length).toBe(6)
    expect(fill(range(5)).reused).toBe(4)
    other.sequence.release()
  })

  test("says so when no page is free, and changes nothing", () => {
    const { sequence } = fill(range(30))
    const second = cache.open([1])
    expect(second.reserve(4)).toBe(false)
    expect(sequence.reserve(2)).toBe(true)
    expect(sequence.reserve(3)).toBe(false)
    expect(sequence.pages.length).toBe(8)
    sequence.release()
    expect(second.reserve(4)).toBe(true)
  })

  test("sliding drops whole pages after those kept, and ends sharing", () => {
    const { sequence } = fill(range(18))
    const before = [...sequence.pages]
    expect(sequence.slide(3, 5)).toBe(8)
    expect([...sequence.pages]).toEqual([before[0], before[3], before[4]])
    expect(sequence.length).toBe(10)
    expect(sequence.reserve(6)).toBe(true)
    sequence.commit(range(6, 200))
    sequence.release()
    expect(cache.usedPages).toBe(0)
    expect(fill([...range(4), ...range(8, 12), 1]).reused).toBe(4)
  })

  test("ten thousand random openings, forks and releases lose no page", () => {
    let state = 1
    const random = (below: number) => (state = (state * 48271) % 2147483647) % below
    const open: ReturnType<KvCache["open"]>[] = []
    for (let i = 0; i < 10_000; i++) {
      const pick = random(4)
      if (pick < 2 || open.length === 0) {
        const ids = range(1 + random(12), random(3) * 4)
        const sequence = cache.open(ids)
        const rest = ids.slice(sequence.length)
        if (sequence.reserve(rest.length)) {
          sequence.commit(rest)
          open.push(sequence)
        } else sequence.release()
      } else if (pick === 2) open.push(open[random(open.length)].fork())
      else open.splice(random(open.length), 1)[0].release()
      if (open.length > 6) open.shift()!.release()
    }
    for (const sequence of open) sequence.release()
    expect(cache.usedPages).toBe(0)
    cache.clear()
    expect(cache.cachedPages).toBe(0)
    expect(cache.freePages).toBe(8)
  })
})
