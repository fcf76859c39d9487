// How many tokens a step takes: by the time that earlier steps took.
import { expect, test } from "vitest"
import { Pace } from "./pace.js"

/** After steps of as many rows as the pace says, on a machine that takes so long a row. */
function settled(millisecondsPerRow: number, interruptible: boolean): Pace {
  const pace = new Pace(interruptible)
  for (let step = 0; step < 20; step++) {
    const rows = step % 2 ? pace.rows : pace.readingRows
    pace.report(rows, 0, rows * millisecondsPerRow, step * 100)
  }
  return pace
}

test("a step with answers takes the time it should, one that only reads prompts up to four times that", () => {
  expect(settled(12, true)).toMatchObject({ rows: 17, readingRows: 64 })
  expect(settled(12, false)).toMatchObject({ rows: 8, readingRows: 32 })
})

test("fast machines read no more at once than they write, slow ones no less than a few tokens", () => {
  expect(settled(1, true)).toMatchObject({ rows: 128, readingRows: 128 })
  expect(settled(500, true)).toMatchObject({ rows: 8, readingRows: 32 })
})

test("steps of few tokens that were quick say nothing", () => {
  const pace = new Pace(true)
  for (let step = 0; step < 20; step++) pace.report(1, 1, 150, step * 150)
  expect(pace.rows).toBe(32)
  expect(pace.tokensPerSecond).toBeCloseTo(1000 / 150)
})
