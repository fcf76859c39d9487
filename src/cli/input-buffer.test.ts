import { expect, test } from "vitest"
import { InputBuffer } from "./input-buffer.js"

function typed(...lines: string[]): (string | undefined)[] {
  const buffer = new InputBuffer()
  return lines.map((line) => buffer.add(line))
}

test("a plain line is a message", () => {
  expect(typed("hello ", "")).toEqual(["hello", ""])
})

test("a backslash at the end goes on, two of them do not", () => {
  expect(typed("one\\", "  two\\", "three")).toEqual([undefined, undefined, "one\n  two\nthree"])
  expect(typed("C:\\\\")).toEqual(["C:\\\\"])
})

test("fences hold a block as it is, backslashes and empty lines too", () => {
  expect(typed('"""', "a\\", "", "  b", '"""')).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    "a\\\n\n  b",
  ])
  expect(typed('"""first', 'last"""')).toEqual([undefined, "first\nlast"])
  expect(typed('"""one line"""')).toEqual(["one line"])
})

test("a pasted block waits for Enter, whatever its lines end with", () => {
  const buffer = new InputBuffer()
  expect(buffer.add("def f():\\", true)).toBeUndefined()
  expect(buffer.add('"""doc"""', true)).toBeUndefined()
  expect(buffer.pending).toBe(true)
  expect(buffer.add("end")).toBe('def f():\\\n"""doc"""\nend')
  expect(buffer.pending).toBe(false)
})

test("clear forgets an open fence", () => {
  const buffer = new InputBuffer()
  buffer.add('"""')
  buffer.clear()
  expect(buffer.add("x")).toBe("x")
})
