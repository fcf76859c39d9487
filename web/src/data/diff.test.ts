import { expect, test } from "vitest"
import { changes } from "./diff.js"

const before = (all: ReturnType<typeof changes>) =>
  all
    .filter(({ kind }) => kind !== "added")
    .map(({ text }) => text)
    .join("")
const after = (all: ReturnType<typeof changes>) =>
  all
    .filter(({ kind }) => kind !== "removed")
    .map(({ text }) => text)
    .join("")

test("a word that changes is all that changes", () => {
  expect(changes("The llama eats grass.", "The llama likes grass.", "en")).toEqual([
    { kind: "same", text: "The llama " },
    { kind: "removed", text: "eats" },
    { kind: "added", text: "likes" },
    { kind: "same", text: " grass." },
  ])
})

test("a sentence that was written anew is one change, whatever words it happens to share", () => {
  const [from, to] = ["hey, i cant come to the meeting, sorry", "Dear all, I am unable to attend the meeting"]
  const all = changes(from, to, "en")
  expect(all.filter(({ kind }) => kind === "same").map(({ text }) => text)).toEqual(["the meeting"])
  expect(before(all)).toBe(from)
  expect(after(all)).toBe(to)
})

test.each([
  ["", ""],
  ["", "new"],
  ["old", ""],
  ["a b c a b b a", "c b a b a c"],
  ["日本語の文章です", "日本語の短い文章"],
  ["สวัสดีครับ นี่คือข้อความ", "สวัสดีค่ะ นี่คือข้อความสั้น"],
])("both texts can be read from the changes of %j and %j", (a, b) => {
  const all = changes(a, b, "en")
  expect(before(all)).toBe(a)
  expect(after(all)).toBe(b)
})

test("texts with nothing in common end soon", () => {
  const a = Array.from({ length: 5000 }, (_, i) => `a${i}`).join(" ")
  const b = Array.from({ length: 5000 }, (_, i) => `b${i}`).join("_ ")
  const start = performance.now()
  const all = changes(a, b, "en")
  expect(before(all)).toBe(a)
  expect(after(all)).toBe(b)
  expect(performance.now() - start).toBeLessThan(20_000)
})
