// Puts the lines that somebody types or pastes together into one message. Knows no terminal.

const fence = '"""'

export class InputBuffer {
  #lines: string[] = []
  #fenced = false

  /** Whether a message has begun and is not complete. */
  get pending(): boolean {
    return this.#fenced || this.#lines.length > 0
  }

  /**
   * Takes a line; returns the message when it is complete. A line goes on when it ends with a backslash, inside
   * `"""` fences, and while it is `pasted`: a pasted block is sent by the Enter that follows it.
   */
  add(line: string, pasted = false): string | undefined {
    if (pasted) {
      this.#lines.push(line)
      return undefined
    }
    if (this.#fenced) {
      const text = line.trimEnd()
      if (!text.endsWith(fence)) {
        this.#lines.push(line)
        return undefined
      }
      this.#lines.push(text.slice(0, -fence.length))
      return this.#take()
    }
    if (this.#lines.length === 0 && line.trimStart().startsWith(fence)) {
      const rest = line.trimStart().slice(fence.length)
      if (rest.trimEnd().endsWith(fence)) return rest.trimEnd().slice(0, -fence.length).trim()
      this.#fenced = true
      if (rest.trim() !== "") this.#lines.push(rest)
      return undefined
    }
    if (/(?<!\\)\\$/.test(line)) {
      this.#lines.push(line.slice(0, -1))
      return undefined
    }
    this.#lines.push(line)
    return this.#take()
  }

  clear(): void {
    this.#lines = []
    this.#fenced = false
  }

  #take(): string {
    const text = this.#lines.join("\n").trim()
    this.clear()
    return text
  }
}
