import { expect, test } from "vitest"
import { uniform } from "./random.js"
import { StopStrings } from "./stop-strings.js"

/** Feeds a text in pieces; what was shown after each, and whether it stopped. */
function feed(stops: string[], pieces: string[]) {
  const matcher = new StopStrings(stops)
  const shown: string[] = []
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece)
    shown.push(text)
    if (stopped) return { shown, stopped }
  }
  return { shown: [...shown, matcher.flush()], stopped: false }
}

test("a stop string across pieces is never shown, in no part", () => {
  expect(feed(["END"], ["one E", "N", "D two"])).toEqual({ shown: ["one ", "", ""], stopped: true })
})

test("what only looked like a stop string is shown later", () => {
  expect(feed(["END"], ["E", "NE", "N", "X"]).shown).toEqual(["", "EN", "", "ENX", ""])
  expect(feed(["aab"], ["aa", "a", "b!"])).toEqual({ shown: ["", "a", ""], stopped: true })
})

test("the first that is complete wins, of several the longest", () => {
  expect(feed(["lo wo", "o w"], ["hello world"]).shown).toEqual(["hell"])
  expect(feed(["b", "ab"], ["xxab"]).shown).toEqual(["xx"])
})

test("agrees with searching the whole text, however it is cut", () => {
  for (let seed = 0; seed < 300; seed++) {
    let at = 0
    const random = () => uniform(seed, at++)
    const word = (length: number) => Array.from({ length }, () => "ab"[Math.floor(random() * 2)]).join("")
    const stops = [word(2 + Math.floor(random() * 5)), word(3 + Math.floor(random() * 6))]
    const text = word(40)
    const ends = stops
      .map((stop) => ({ end: text.indexOf(stop) + stop.length, length: stop.length }))
      .filter(({ end, length }) => end >= length)
    const first = ends.toSorted((a, b) => a.end - b.end || b.length - a.length)[0]
    const pieces = text.match(new RegExp(`.{1,${1 + Math.floor(random() * 5)}}`, "g"))!
    const { shown, stopped } = feed(stops, pieces)
    expect(stopped).toBe(first !== undefined)
    expect(shown.join("")).toBe(first ? text.slice(0, first.end - first.length) : text)
  }
})

test("hostile stop strings take linear time", () => {
  const stops = Array.from({ length: 64 }, (_, i) => `${"a".repeat(9000)}${i}`)
  const matcher = new StopStrings(stops)
  const start = performance.now()
  for (let i = 0; i < 2000; i++) matcher.push("aaaaaaaa")
  expect(performance.now() - start).toBeLessThan(3000)
})
