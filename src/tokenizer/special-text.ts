// Finds the texts of special tokens in a text: the leftmost, and of several that start there the longest.

interface Branch {
  next: Map<string, Branch>
  id: number
}

export class SpecialText {
  readonly #root: Branch = { next: new Map(), id: -1 }

  constructor(specials: Iterable<readonly [string, number]>) {
    for (const [text, id] of specials) {
      let branch = this.#root
      for (const unit of text.split("")) {
        let child = branch.next.get(unit)
        if (child === undefined) branch.next.set(unit, (child = { next: new Map(), id: -1 }))
        branch = child
      }
      if (branch !== this.#root) branch.id = id
    }
  }

  /** The first special token at or after `from`. Reads each unit at most as often as the longest text is long. */
  find(text: string, from: number): { start: number; end: number; id: number } | undefined {
    for (let start = from; start < text.length; start++) {
      let branch: Branch | undefined = this.#root.next.get(text[start])
      let found: { start: number; end: number; id: number } | undefined
      for (let at = start + 1; branch !== undefined; at++) {
        if (branch.id >= 0) found = { start, end: at, id: branch.id }
        if (at >= text.length) break
        branch = branch.next.get(text[at])
      }
      if (found !== undefined) return found
    }
    return undefined
  }
}
