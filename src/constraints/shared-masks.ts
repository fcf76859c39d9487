// Masks that constraints have in common, such as that of the inside of a JSON string: found again by what the places
// are made of, whichever constraint they belong to. One for each vocabulary.
import type { Node } from "./expressions.js"
import type { Local } from "./machine.js"

const mostMasks = 128
const mostForms = 100_000
const deepest = 40
const mostCells = 32

export class SharedMasks<Mask> {
  readonly #masks = new Map<string, Mask>()
  /** A number for each form that an expression can have. */
  readonly #forms = new Map<string, number>()
  /** Numbers are never given twice: constraints may keep those of forms that were forgotten. */
  #next = 0

  get(key: string): Mask | undefined {
    return this.#masks.get(key)
  }

  set(key: string, mask: Mask): void {
    if (this.#masks.size >= mostMasks) this.#masks.delete(this.#masks.keys().next().value!)
    this.#masks.set(key, mask)
  }

  /**
   * What the places are made of, the same for equal places of any constraint; undefined for those that call rules or
   * belong to an automaton with cycles. `known` keeps the forms of one constraint's expressions.
   */
  key(local: Local, known: Map<Node, number>): string | undefined {
    if (local.cells.length > mostCells) return undefined
    if (this.#forms.size > mostForms) {
      this.#forms.clear()
      this.#masks.clear()
      known.clear()
    }
    const keys: string[] = []
    for (const cell of local.cells) {
      const forms: number[] = []
      for (let at = cell; at.node; at = at.tail!) {
        const form = this.#form(at.node, known, 0)
        if (form < 0) return undefined
        forms.push(form)
      }
      keys.push(forms.join("."))
    }
    return keys.toSorted().join()
  }

  #form(node: Node, known: Map<Node, number>, depth: number): number {
    const before = known.get(node)
    if (before !== undefined) return before
    const text = depth > deepest ? undefined : this.#text(node, known, depth)
    let form = -1
    if (text !== undefined) {
      form = this.#forms.get(text) ?? this.#next++
      this.#forms.set(text, form)
    }
    if (depth <= deepest) known.set(node, form)
    return form
  }

  #text(node: Node, known: Map<Node, number>, depth: number): string | undefined {
    if (node.kind === "rule" || (node.kind === "switch" && node.isOpen)) return undefined
    const of = (part: Node) => this.#form(part, known, depth + 1)
    if (node.kind === "repeat") {
      const item = of(node.item)
      return item < 0 ? undefined : `${item}{${node.min},${node.max}}`
    }
    if (node.kind === "switch") {
      const edges = node.edges.map(({ lo, hi, next }) => ({ range: `${lo}-${hi}`, form: of(next) }))
      if (edges.some(({ form }) => form < 0)) return undefined
      return `[${edges.map(({ range, form }) => `${range}:${form}`).join()}]${node.final ? "." : ""}`
    }
    const forms = (node.kind === "sequence" ? node.items : node.options).map(of)
    if (forms.includes(-1)) return undefined
    return node.kind === "sequence" ? `(${forms.join(" ")})` : `(${forms.join("|")})`
  }
}
