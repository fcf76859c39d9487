// Texts that match two expressions, or one and not the other, as an automaton of its own: the product of both.
// For expressions without rules.
import { InvalidOptionError } from "../errors/index.js"
import type { Edge, Expressions, Node, Switch } from "./expressions.js"
import { dead, Machine } from "./machine.js"

const mostStates = 20_000

/**
 * What matches `first` and matches `second` (with `negative`: does not match it).
 * @throws InvalidOptionError where the product is too large.
 */
export function intersection(expressions: Expressions, first: Node, second: Node, negative = false): Node {
  const spend = (work: number) => expressions.spend(work)
  const one = new Machine(expressions, first, spend)
  const other = new Machine(expressions, second, spend)
  const { first: samples } = expressions.byteClasses()
  const states: [number, number][] = []
  const known = new Map<string, number>()
  const stateOf = (a: number, b: number): number => {
    if (a === dead || (b === dead && !negative)) return -1
    const key = `${a}:${b}`
    let state = known.get(key)
    if (state === undefined) {
      if (states.length >= mostStates) tooLarge()
      known.set(key, (state = states.length))
      states.push([a, b])
    }
    return state
  }
  if (stateOf(one.start, other.start) < 0) return expressions.never
  const targets: Int32Array[] = []
  const sources: number[][] = []
  const alive: number[] = []
  for (let state = 0; state < states.length; state++) {
    const [a, b] = states[state]
    expressions.spend(samples.length)
    const row = Int32Array.from(samples, (byte) => {
      const next = one.step(a, byte)
      return next === dead ? -1 : stateOf(next, other.step(b, byte))
    })
    for (const next of row) if (next >= 0) (sources[next] ??= []).push(state)
    targets.push(row)
  }
  const finals = states.map(([a, b]) => one.ends[a] && other.ends[b] !== negative)
  const isAlive = new Uint8Array(states.length)
  const enliven = (state: number) => {
    if (isAlive[state] === 1) return
    isAlive[state] = 1
    alive.push(state)
  }
  finals.forEach((final, state) => final && enliven(state))
  for (let at = 0; at < alive.length; at++) sources[alive[at]]?.forEach(enliven)
  if (isAlive[0] === 0) return expressions.never
  const nodes = states.map((_, state): Switch | undefined =>
    isAlive[state] === 1 ? expressions.open(finals[state]) : undefined,
  )
  targets.forEach((row, state) => {
    const node = nodes[state]
    if (node) expressions.connect(node, edgesOf(row, samples, nodes))
  })
  return nodes[0]!
}

function edgesOf(
  row: Int32Array,
  samples: readonly number[],
  nodes: readonly (Switch | undefined)[],
): Edge[] {
  const edges: Edge[] = []
  row.forEach((target, byteClass) => {
    const next = target < 0 ? undefined : nodes[target]
    if (!next) return
    const lo = samples[byteClass]
    const hi = byteClass + 1 < samples.length ? samples[byteClass + 1] - 1 : 255
    const last = edges.at(-1)
    if (last && last.next === next && last.hi + 1 === lo) edges[edges.length - 1] = { lo: last.lo, hi, next }
    else edges.push({ lo, hi, next })
  })
  return edges
}

function tooLarge(): never {
  throw new InvalidOptionError(
    `the constraint is too large: a pattern, together with its bounds or look-aheads, needs more than ${mostStates} states. Use smaller bounds, or only one of them`,
  )
}
