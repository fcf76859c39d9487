// What changed between two texts, word by word (Myers 1986, the greedy algorithm), made fit for reading.

export interface Change {
  readonly kind: "same" | "added" | "removed"
  readonly text: string
}

/** Beyond so many edits the texts have little in common, and all of one is shown beside all of the other. */
const maxEdits = 2000

/** The language's own words, also where no spaces stand between them. */
function words(text: string, language: string): string[] {
  const segmenter = new Intl.Segmenter(language, { granularity: "word" })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

export function changes(before: string, after: string, language: string): Change[] {
  const a = words(before, language)
  const b = words(after, language)
  const steps = path(a, b)
  if (!steps)
    return [
      { kind: "removed", text: before },
      { kind: "added", text: after },
    ]
  return readable(steps)
}

/** A passage that was replaced, and what stays behind it. */
interface Passage {
  removed: string
  added: string
  same: string
}

/**
 * The steps as passages. What stays between two changes but is no longer than either of them (a space, a chance word)
 * becomes part of one change: a sentence that was written anew reads as one sentence instead of another.
 */
function readable(steps: readonly Change[]): Change[] {
  const passages: Passage[] = [{ removed: "", added: "", same: "" }]
  for (const { kind, text } of steps) {
    let last = passages.at(-1)!
    if (kind === "same") {
      last.same += text
      continue
    }
    if (last.same !== "") passages.push((last = { removed: "", added: "", same: "" }))
    last[kind] += text
  }
  const kept: Passage[] = []
  for (let passage of passages) {
    for (let before = kept.at(-1); before && isChance(before, passage); before = kept.at(-1)) {
      kept.pop()
      passage = {
        removed: before.removed + before.same + passage.removed,
        added: before.added + before.same + passage.added,
        same: passage.same,
      }
    }
    kept.push(passage)
  }
  return kept
    .flatMap(({ removed, added, same }): Change[] => [
      { kind: "removed", text: removed },
      { kind: "added", text: added },
      { kind: "same", text: same },
    ])
    .filter(({ text }) => text !== "")
}

const isChance = (before: Passage, after: Passage): boolean => {
  const size = ({ removed, added }: Passage) => Math.max(removed.length, added.length)
  return before.same.length <= Math.min(size(before), size(after))
}

/** The shortest way from a to b, or undefined where it is too long. */
function path(a: readonly string[], b: readonly string[]): Change[] | undefined {
  const offset = Math.min(a.length + b.length, maxEdits) + 1
  const furthest = new Int32Array(2 * offset + 1)
  const trace: Int32Array[] = []
  for (let edits = 0; edits < offset; edits++) {
    trace.push(furthest.slice(offset - edits - 1, offset + edits + 2))
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest[offset + k - 1] < furthest[offset + k + 1])
      let x = down ? furthest[offset + k + 1] : furthest[offset + k - 1] + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      furthest[offset + k] = x
      if (x >= a.length && x - k >= b.length) return backwards(a, b, trace)
    }
  }
  return undefined
}

function backwards(a: readonly string[], b: readonly string[], trace: readonly Int32Array[]): Change[] {
  const steps: Change[] = []
  let [x, y] = [a.length, b.length]
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const at = (k: number) => trace[edits][k + edits + 1]
    const k = x - y
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1))
    const from = down ? k + 1 : k - 1
    const [px, py] = edits === 0 ? [0, 0] : [at(from), at(from) - from]
    while (x > px && y > py) {
      steps.push({ kind: "same", text: a[--x] })
      y--
    }
    if (edits === 0) break
    steps.push(down ? { kind: "added", text: b[--y] } : { kind: "removed", text: a[--x] })
  }
  return steps.toReversed()
}
