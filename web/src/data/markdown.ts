// Reads a model's Markdown into tokens, within bounds: what is too long, too deep or too slow stays plain text.
import { lexer, type Token } from "marked"

/** The reader takes quadratic time on some texts: a second for one of this length. */
const maxLength = 20_000
const maxDepth = 24
/** A growing text is read again with every token; beyond this many milliseconds that has to wait for its end. */
const patience = 30

export class MarkdownReader {
  #slow = false

  /** The tokens, or undefined where the text is to be shown as it is. */
  read(text: string, growing: boolean): Token[] | undefined {
    if (text.length > maxLength || (growing && this.#slow)) return undefined
    const start = performance.now()
    try {
      const tokens = lexer(text)
      return depthOf(tokens) > maxDepth ? undefined : tokens
    } catch (error) {
      if (error instanceof RangeError) return undefined // nested until the stack was full
      throw error
    } finally {
      this.#slow = performance.now() - start > patience
    }
  }
}

/** How deep tokens lie in each other; lists keep theirs in items. */
function depthOf(tokens: readonly Token[]): number {
  let level: readonly Token[] = tokens
  let depth = 0
  for (; level.length > 0 && depth <= maxDepth; depth++) {
    level = level.flatMap((token) => [
      ...(("tokens" in token && token.tokens) || []),
      ...(("items" in token && (token.items as Token[])) || []),
    ])
  }
  return depth
}
