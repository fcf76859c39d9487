import { expect, test } from "vitest"
import { Interrupted, Lifetime } from "./lifetime.js"

test("cleanups run once, last first, each even where another fails", async () => {
  const lifetime = new Lifetime()
  const ran: string[] = []
  lifetime.defer(() => void ran.push("first"))
  lifetime.defer(() => {
    throw new Error("broken")
  })
  const undo = lifetime.defer(() => void ran.push("taken back"))
  lifetime.defer(async () => void ran.push("last"))
  undo()
  await Promise.all([lifetime.close(), lifetime.close()])
  expect(ran).toEqual(["last", "first"])
})

test("a cleanup that hangs does not hold the process", async () => {
  const lifetime = new Lifetime()
  lifetime.defer(() => new Promise(() => {}))
  const start = performance.now()
  await lifetime.close(50)
  expect(performance.now() - start).toBeLessThan(1000)
})

test("Ctrl-C goes to the latest handler, without one it aborts", () => {
  const lifetime = new Lifetime()
  let handled = 0
  const undo = lifetime.onInterrupt(() => void handled++)
  lifetime.interrupt()
  expect([handled, lifetime.signal.aborted]).toEqual([1, false])
  undo()
  lifetime.interrupt()
  expect(lifetime.signal.reason).toBeInstanceOf(Interrupted)
  expect((lifetime.signal.reason as Interrupted).exitCode).toBe(130)
})
