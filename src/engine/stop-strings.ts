// Finds the texts that end an answer while it is being written. What may be the beginning of one is held back, so
// that no part of it is ever shown. Linear in the text, whatever the stop strings are.

/** Knuth-Morris-Pratt: for each length of a match, the length to fall back to. */
function fallbacks(pattern: string): Int32Array {
  const table = new Int32Array(pattern.length + 1)
  let matched = 0
  for (let i = 1; i < pattern.length; i++) {
    while (matched > 0 && pattern[i] !== pattern[matched]) matched = table[matched]
    if (pattern[i] === pattern[matched]) matched++
    table[i + 1] = matched
  }
  return table
}

export class StopStrings {
  readonly #patterns: { readonly text: string; readonly fallback: Int32Array; matched: number }[]
  #held = ""

  constructor(stops: readonly string[]) {
    this.#patterns = stops.map((text) => ({ text, fallback: fallbacks(text), matched: 0 }))
  }

  /** Takes the next text; returns what can be shown. `stopped` when one is complete: then nothing comes after it. */
  push(text: string): { text: string; stopped: boolean } {
    if (this.#patterns.length === 0) return { text, stopped: false }
    const held = this.#held
    for (let at = 0; at < text.length; at++) {
      let complete = 0
      for (const pattern of this.#patterns) {
        const { text: stop, fallback } = pattern
        while (pattern.matched > 0 && text[at] !== stop[pattern.matched])
          pattern.matched = fallback[pattern.matched]
        if (text[at] === stop[pattern.matched]) pattern.matched++
        if (pattern.matched === stop.length) complete = Math.max(complete, stop.length)
      }
      if (complete > 0) {
        this.#held = ""
        const shown = held.length + at + 1 - complete
        return { text: (held + text.slice(0, at + 1)).slice(0, shown), stopped: true }
      }
    }
    let keep = 0
    for (const pattern of this.#patterns) keep = Math.max(keep, pattern.matched)
    const all = held + text
    // a stop string that is held back begins within what was held or what came now, never before
    this.#held = keep > 0 ? all.slice(-keep) : ""
    return { text: keep > 0 ? all.slice(0, -keep) : all, stopped: false }
  }

  /** What was held back at the end of an answer that did not stop. */
  flush(): string {
    const held = this.#held
    this.#held = ""
    return held
  }
}
