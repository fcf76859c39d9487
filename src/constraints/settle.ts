// What can only be known of expressions when all rules have their bodies: which match the empty text, which match
// nothing at all, and which rules would call themselves for ever.
import { InvalidOptionError } from "../errors/index.js"
import type { Node } from "./expressions.js"

/**
 * Settles `nullable` and `dead` of all expressions.
 * @throws InvalidOptionError for a rule that calls itself before it has taken a byte.
 */
export function settle(nodes: readonly Node[]): void {
  const usedBy = new Map<Node, Node[]>()
  const todo: Node[] = nodes.filter((node) => node.kind !== "switch")
  for (const node of todo) {
    node.nullable = false
    node.dead = true
    for (const part of partsOf(node)) {
      const users = usedBy.get(part)
      if (users) users.push(node)
      else usedBy.set(part, [node])
    }
  }
  // the smallest solution: what is not shown to match something matches nothing
  for (let at = 0; at < todo.length; at++) {
    const node = todo[at]
    const [nullable, isDead] = settled(node)
    if (nullable === node.nullable && isDead === node.dead) continue
    node.nullable = nullable
    node.dead = isDead
    for (const user of usedBy.get(node) ?? []) todo.push(user)
  }
  refuseLeftRecursion(nodes)
}

function refuseLeftRecursion(nodes: readonly Node[]): void {
  const state = new Uint8Array(nodes.length)
  for (const root of nodes) {
    if (root.kind !== "rule" || state[root.id] !== 0) continue
    const stack = [{ node: root as Node, left: leftOf(root), at: 0 }]
    state[root.id] = 1
    while (stack.length > 0) {
      const top = stack.at(-1)!
      if (top.at === top.left.length) {
        state[top.node.id] = 2
        stack.pop()
        continue
      }
      const next = top.left[top.at++]
      if (state[next.id] === 1) {
        const rules = stack.slice(stack.findIndex(({ node }) => node === next)).map(({ node }) => node)
        const name = rules.find((node) => node.kind === "rule")?.name
        throw new InvalidOptionError(
          `the rule ${name} calls itself before it matches anything (left recursion): write the repetition with * or +`,
        )
      }
      if (state[next.id] !== 0) continue
      state[next.id] = 1
      stack.push({ node: next, left: leftOf(next), at: 0 })
    }
  }
}

function settled(node: Node): [nullable: boolean, dead: boolean] {
  switch (node.kind) {
    case "sequence":
      return [node.items.every((item) => item.nullable), node.items.some((item) => item.dead)]
    case "choice":
      return [node.options.some((option) => option.nullable), node.options.every((option) => option.dead)]
    case "repeat":
      return [node.min === 0 || node.item.nullable, node.min > 0 && node.item.dead]
    case "rule":
      return [node.body!.nullable, node.body!.dead]
    case "switch":
      return [node.nullable, node.dead]
  }
}

function partsOf(node: Node): readonly Node[] {
  if (node.kind === "sequence") return node.items
  if (node.kind === "choice") return node.options
  if (node.kind === "repeat") return [node.item]
  return node.kind === "rule" ? [node.body!] : []
}

/** What may be entered before a byte is taken. */
function leftOf(node: Node): readonly Node[] {
  if (node.kind === "sequence") {
    const solid = node.items.findIndex((item) => !item.nullable)
    return solid < 0 ? node.items : node.items.slice(0, solid + 1)
  }
  if (node.kind === "choice") return node.options
  if (node.kind === "repeat") return [node.item]
  return node.kind === "rule" ? [node.body!] : []
}
