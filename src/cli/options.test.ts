import { InvalidArgumentError } from "commander"
import { expect, test } from "vitest"
import { numberIn, numbersIn, promptOf, samplingOf } from "./options.js"

test("numbers are checked, with what is expected in the message", () => {
  const temperature = numberIn({ min: 0, max: 100 })
  expect(["0", "0.7", " 1e1 ", ".5", "+2"].map(temperature)).toEqual([0, 0.7, 10, 0.5, 2])
  for (const text of ["", "hot", "-1", "101", "NaN", "Infinity", "0x10", "1,5", "1 2"])
    expect(() => temperature(text)).toThrow(/Expected a number from 0 to 100\./)
  const topP = numberIn({ min: 0, max: 1, above: true })
  expect(() => topP("0")).toThrow(/0 excluded/)
  const tokens = numberIn({ min: 1, whole: true })
  expect(tokens("131_072")).toBe(131072)
  expect(() => tokens("1.5")).toThrow(/whole number of at least 1/)
  expect(() => tokens("99999999999999999999")).toThrow(InvalidArgumentError)
})

test("lists of numbers", () => {
  const lengths = numbersIn({ min: 0, max: 1000 })
  expect(lengths("64,512,")).toEqual([64, 512])
  expect(() => lengths("")).toThrow(InvalidArgumentError)
  expect(() => lengths("1,x")).toThrow(/Expected a whole number from 0 to 1000/)
  expect(() => lengths(Array(17).fill("1").join())).toThrow(/1 to 16/)
})

test("only what was given reaches the engine", () => {
  expect(samplingOf({})).toEqual({})
  expect(samplingOf({ temperature: 0, maxTokens: 5, stop: ["\n"] })).toEqual({
    temperature: 0,
    maxTokens: 5,
    stop: ["\n"],
  })
  expect(() => samplingOf({ stop: [""] })).toThrow(/--stop/)
})

test("the prompt is given once", () => {
  expect(promptOf(["a", "b"], undefined)).toBe("a b")
  expect(promptOf([], "")).toBe("")
  expect(promptOf([], undefined)).toBeUndefined()
  expect(() => promptOf(["a"], "b")).toThrow(/twice/)
})
