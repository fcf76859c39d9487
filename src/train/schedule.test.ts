import { expect, test } from "vitest"
import { learningRateFactor, type Schedule } from "./schedule.js"

const base: Schedule = { steps: 110, warmup: 10, shape: "cosine", floor: 0.1, decay: 0.2, anneal: 0 }
const at = (changes: Partial<Schedule>, steps: number[]) =>
  steps.map((step) => Number(learningRateFactor({ ...base, ...changes }, step).toFixed(6)))

test("warm-up rises linearly to the peak", () => {
  expect(at({}, [1, 5, 10])).toEqual([0.1, 0.5, 1])
})

test("shapes after the warm-up", () => {
  expect(at({}, [60, 110])).toEqual([0.55, 0.1])
  expect(at({ shape: "linear" }, [35, 60, 110])).toEqual([0.775, 0.55, 0.1])
  expect(at({ shape: "constant" }, [60, 110])).toEqual([1, 1])
  expect(at({ shape: "wsd" }, [60, 90, 100, 110])).toEqual([1, 1, 0.55, 0.1])
})

test("annealing goes from where the shape ends to 0", () => {
  expect(at({ steps: 119, anneal: 9 }, [110, 111, 119])).toEqual([0.1, 0.09, 0.01])
  expect(at({ steps: 119, anneal: 9, shape: "constant" }, [110, 111, 115, 119])).toEqual([1, 0.9, 0.5, 0.1])
})

test("the rate never rises after the warm-up", () => {
  for (const shape of ["cosine", "linear", "wsd", "constant"] as const) {
    let before = Infinity
    for (let step = 10; step <= 130; step++) {
      const factor = learningRateFactor({ ...base, steps: 130, anneal: 20, shape }, step)
      expect(factor).toBeLessThanOrEqual(before)
      expect(factor).toBeGreaterThan(0)
      before = factor
    }
  }
})
