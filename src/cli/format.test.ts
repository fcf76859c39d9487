import { expect, test } from "vitest"
import { bytes, clip, duration, harmless, oneLine, parameters, plural, rate, table, width } from "./format.js"

test("amounts have three digits and a unit", () => {
  expect([0, 999, 1000, 999_499, 999_500, 2_471_645_608, 5e15].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1.00 kB",
    "999 kB",
    "1.00 MB",
    "2.47 GB",
    "5.00 PB",
  ])
  expect([512, 260_032, 1_235_814_400].map(parameters)).toEqual(["512", "260K", "1.24B"])
  expect([0.5234, 31.42, 1234.5, Number.NaN].map(rate)).toEqual(["0.523", "31.4", "1,235", "?"])
  expect([plural(1, "token"), plural(2000, "token")]).toEqual(["1 token", "2,000 tokens"])
})

test("durations read as people say them, and never 60 s", () => {
  expect([0, 9.94, 9.96, 59.4, 59.6, 125, 3599.6, 7800, Number.POSITIVE_INFINITY].map(duration)).toEqual([
    "0.0 s",
    "9.9 s",
    "10 s",
    "59 s",
    "1 min 00 s",
    "2 min 05 s",
    "1 h 00 min",
    "2 h 10 min",
    "?",
  ])
})

test("width counts columns: wide, combining and coloured text", () => {
  expect(["abc", "日本語", "नमस्ते", "ที่", "e\u0301", "\u001b[31mred\u001b[0m", "🦙"].map(width)).toEqual([
    3, 6, 4, 1, 1, 3, 2,
  ])
  expect(clip("日本語テキスト", 7)).toBe("日本語…")
  expect(clip("short", 10)).toBe("short")
  expect(clip("anything", 0)).toBe("")
})

test("a table aligns columns of any script and leaves no trailing space", () => {
  expect(
    table(
      [
        ["日本", "1"],
        ["abcdef", "200"],
        ["x", ""],
      ],
      [1],
    ),
  ).toEqual(["日本      1", "abcdef  200", "x"])
})

test("foreign text cannot steer a terminal", () => {
  expect(harmless("a\u001b]52;c;eA==\u0007b\u009b2J\u202ec\r\n\td")).toBe("a␛]52;c;eA==␇b�2J�c␍\n\td")
  expect(oneLine("a\r\nb\tc")).toBe("a b c")
})
