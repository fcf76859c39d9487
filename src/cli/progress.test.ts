import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { width } from "./format.js"
import { progressLine, startProgress } from "./progress.js"
import { FakeScreen } from "./screen-fixture.js"

function screen(isTerminal: boolean, columns = 80) {
  const fake = new FakeScreen(isTerminal, columns)
  return { fake, written: fake.written }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test("a line shows bar, percent, amount, rate and remaining time, and fits the terminal", () => {
  const { fake } = screen(true)
  const line = progressLine(fake, "model.safetensors", 1.1e9, 2.2e9, 55e6, "bytes")
  expect(line).toContain("50%  1.10 GB of 2.20 GB  55.0 MB/s  20 s left")
  for (const columns of [10, 20, 40, 60, 80, 200]) {
    for (const label of ["x", "日本語".repeat(30), "a-very-long-file-name-that-goes-on.safetensors"]) {
      const { fake } = screen(true, columns)
      expect(width(progressLine(fake, label, 5e8, 2e9, 1e6, "bytes"))).toBeLessThan(columns)
      expect(width(progressLine(fake, label, 5e8, undefined, 1e6, "bytes"))).toBeLessThan(columns)
    }
  }
})

test("what is quick shows nothing", () => {
  const { fake, written } = screen(true)
  const progress = startProgress(fake)
  progress.update("a", 1, 2)
  vi.advanceTimersByTime(400)
  progress.update("a", 2, 2)
  progress.end()
  expect(written).toEqual([])
})

test("at most ten times a second on a terminal, and the line is cleaned at the end", () => {
  const { fake, written } = screen(true)
  const progress = startProgress(fake, { after: 0 })
  for (let i = 0; i < 1000; i++) {
    progress.update("file", i * 1000, 1_000_000)
    vi.advanceTimersByTime(1)
  }
  expect(written.length).toBeGreaterThanOrEqual(9)
  expect(written.length).toBeLessThanOrEqual(11)
  expect(written.at(-1)).toMatch(/9\d% +9\d\d kB of 1\.00 MB/)
  progress.end()
  progress.end()
  expect(written.at(-1)).toBe("\r\u001b[J")
  const after = written.length
  progress.update("late", 1, 1)
  vi.advanceTimersByTime(5000)
  expect(written.length).toBe(after)
})

test("a stalled transfer shows that it stands still", () => {
  const { fake, written } = screen(true)
  const progress = startProgress(fake, { after: 0 })
  for (let i = 0; i <= 20; i++) {
    progress.update("file", i * 100_000, 1e9)
    vi.advanceTimersByTime(100)
  }
  expect(written.at(-1)).toMatch(/ (?:9\d\d kB|1\.0\d MB)\/s/)
  vi.advanceTimersByTime(60_000)
  expect(written.at(-1)).toMatch(/\d\d\.\d kB\/s/)
  progress.end()
})

test("parts have lines of their own, all of them rewritten and cleaned", () => {
  const { fake, written } = screen(true)
  const progress = startProgress(fake, { after: 0 })
  const part = (label: string) => ({ label, done: 1e6, total: 4e6 })
  progress.update("in all", 3e6, 8e6, { speed: 1e6, parts: [part("a"), part("b")] })
  expect(written.at(-1)!.split("\n").length).toBe(3)
  expect(written.at(-1)).toMatch(/^\ra .*25% .*\nb .*25% .*\nin all .*37% .*1\.00 MB\/s +5\.0 s left/)
  vi.advanceTimersByTime(100)
  progress.update("in all", 4e6, 8e6, { speed: 1e6, parts: [part("b")] })
  expect(written.at(-1)!.startsWith("\r\u001b[2Ab      ")).toBe(true)
  expect(written.at(-1)!.endsWith("\u001b[J")).toBe(true)
  vi.advanceTimersByTime(3000)
  expect(written.at(-1)).toContain("0 B/s")
  progress.end()
  expect(written.at(-1)).toBe("\r\u001b[1A\u001b[J")
})

test("elsewhere a plain line every ten seconds, none for what takes less", () => {
  const { fake, written } = screen(false)
  const progress = startProgress(fake)
  for (let i = 0; i < 250; i++) {
    progress.update("reading", i * 4e6, 1e9)
    vi.advanceTimersByTime(100)
  }
  progress.end()
  expect(written.length).toBe(2)
  expect(written[0]).toMatch(/^reading: 39%, 39\d MB of 1\.00 GB, 39\.\d MB\/s, 15 s left\n$/)
  expect(written.join("")).not.toContain("\u001b")
})
