import { expect, test } from "vitest"
import { MarkdownReader } from "./markdown.js"

const read = (text: string, growing = false) => new MarkdownReader().read(text, growing)

test("paragraphs, lists, tables and code are read", () => {
  const types = read("Hello *you*\n\n- a\n- b\n\n|a|b|\n|-|-|\n|1|2|\n\n```js\nx\n```")!.map(
    ({ type }) => type,
  )
  expect(types.filter((type) => type !== "space")).toEqual(["paragraph", "list", "table", "code"])
})

test.each([
  ["> ".repeat(8000)],
  ["> ".repeat(100) + "deep"],
  [Array.from({ length: 100 }, (_, i) => `${" ".repeat(i * 2)}- a`).join("\n")],
  ["a".repeat(30_000)],
])("what is too deep or too long stays plain", (text) => {
  expect(read(text)).toBeUndefined()
})

test.each(["[", "![", "*a ", "`", "` a ``", "_a", "<", "[](", "**x", "<!--", "&", "www.", "a@", "\\", "<a "])(
  "hostile repetitions of %j end",
  (piece) => {
    const start = performance.now()
    read(piece.repeat(Math.floor(19_999 / piece.length)))
    expect(performance.now() - start).toBeLessThan(10_000)
  },
)

test("a growing text that is slow to read waits for its end", () => {
  const reader = new MarkdownReader()
  const slow = "_a".repeat(9_000)
  expect(reader.read(slow, false)).toBeDefined()
  expect(reader.read(`${slow}b`, true)).toBeUndefined()
  expect(reader.read(`${slow}b`, false)).toBeDefined()
})
