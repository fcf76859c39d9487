import { CommanderError } from "commander"
import { expect, test } from "vitest"
import { HubError } from "../errors/index.js"
import { describeFailure, UsageError } from "./failure.js"
import { Interrupted } from "./lifetime.js"

test("exit codes: 1 error, 2 usage, 130 and 143 for signals, 0 when the reader left", () => {
  expect(describeFailure(new HubError("x")).exitCode).toBe(1)
  expect(describeFailure(new UsageError("x")).exitCode).toBe(2)
  expect(describeFailure(new CommanderError(1, "commander.unknownOption", "x"))).toEqual({
    exitCode: 2,
    message: "",
  })
  expect(describeFailure(new CommanderError(0, "commander.helpDisplayed", "x")).exitCode).toBe(0)
  expect(describeFailure(new Interrupted("SIGINT"))).toEqual({ exitCode: 130, message: "" })
  expect(describeFailure(new Interrupted("SIGTERM")).exitCode).toBe(143)
  expect(describeFailure(new Interrupted("EPIPE")).exitCode).toBe(0)
  // Whatever an abort made the engine throw, the signal is the reason.
  expect(describeFailure(new Error("aborted"), new Interrupted("SIGINT"))).toEqual({
    exitCode: 130,
    message: "",
  })
})

test("two lines at most, no control characters", () => {
  const { message } = describeFailure(new HubError(`a\u001b[2J\n\nb\nc\n${"x".repeat(5000)}`))
  expect(message).toBe("a␛[2J\nb")
  expect(describeFailure(new HubError("x".repeat(5000))).message.length).toBeLessThan(1010)
})

test("what the system refuses is said in words", () => {
  const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", path: "/a/b" })
  expect(describeFailure(full).message).toBe("/a/b: the disk is full: make room, then try again")
  expect(describeFailure(new RangeError("Array buffer allocation failed")).message).toMatch(
    /not enough memory/,
  )
  expect(describeFailure(new TypeError("x is undefined")).message).toMatch(/fault of Cria.*CRIA_DEBUG/)
  expect(describeFailure("text").message).toBe("text")
})
