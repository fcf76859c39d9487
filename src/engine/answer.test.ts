// When the pieces of a task are sent: by the clock, so that tasks send together, and the more rarely the more of them run.
import { expect, test } from "vitest"
import type { Tokenizer } from "../tokenizer/index.js"
import { Task } from "./answer.js"
import type { GenerateRequest } from "./protocol.js"

const request = {
  prompt: Int32Array.of(1),
  sampling: { repetitionPenalty: 1 },
  stop: [],
  stopTokens: [],
  credit: 1000,
} as unknown as GenerateRequest
const tokenizer = { decoder: () => ({}) } as unknown as Tokenizer

/** The times at which a task sends that has a new piece every 10 ms for 300 ms. */
function times(interval: number, start: number, least: number): number[] {
  const task = new Task(0, 0, { ...request, interval }, tokenizer, 100)
  const sent: number[] = []
  for (let now = start; now < start + 300; now += 10) {
    task.add({ index: 0, text: "a" })
    if (task.due(now, least).length > 0) sent.push(now)
  }
  return sent
}

test("the first piece is sent at once, the others when an interval of the clock is over", () => {
  expect(times(100, 1030, 0)).toEqual([1030, 1100, 1200, 1300])
  expect(times(100, 1090, 0)).toEqual([1090, 1100, 1200, 1300])
  expect(times(0, 1030, 0).length).toBe(30)
})

test("intervals are doubled where many tasks run, and end together with shorter ones", () => {
  expect(times(50, 1030, 60)).toEqual(times(100, 1030, 0))
  expect(times(0, 1030, 60).length).toBe(30)
})
