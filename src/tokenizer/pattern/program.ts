// A pattern as a program of four instructions, and one step of all its threads in order of preference.
import { UnsupportedError } from "../../errors/index.js"
import type { CharacterSet, Node } from "./parse.js"

const mostInstructions = 8192

type Instruction =
  | { kind: "set"; set: number; next: number }
  | { kind: "look"; set: number; negative: boolean; next: number }
  | { kind: "split"; first: number; second: number }
  | { kind: "match" }

export interface Program {
  sets: readonly CharacterSet[]
  /**
   * Follows every place over the next character, given its membership in the sets (undefined at the end of the
   * text). `matched`: the pattern may end before this character; places of lower preference were dropped.
   */
  step(places: Iterable<number>, members: Uint8Array | undefined): { places: number[]; matched: boolean }
}

/** Thompson's construction; place 0 is where a match starts. */
export function compileProgram(node: Node): Program {
  const code: Instruction[] = []
  const sets: CharacterSet[] = []
  const setNumbers = new Map<string, number>()

  const setNumber = (set: CharacterSet): number => {
    const key = `${set.ignoreCase}${set.source}`
    const known = setNumbers.get(key)
    if (known !== undefined) return known
    setNumbers.set(key, sets.length)
    return sets.push(set) - 1
  }
  const emit = (instruction: Instruction): number => {
    if (code.length === mostInstructions)
      throw new UnsupportedError(
        `the pre-tokenizer pattern is too large: over ${mostInstructions} instructions`,
      )
    return code.push(instruction) - 1
  }
  /** Emits `node` such that it goes on at `next`; the code is written back to front. Returns where it starts. */
  const build = (node: Node, next: number): number => {
    if (node.kind === "set") return emit({ kind: "set", set: setNumber(node.set), next })
    if (node.kind === "look")
      return emit({ kind: "look", set: setNumber(node.set), negative: node.negative, next })
    if (node.kind === "sequence") return node.items.reduceRight((after, item) => build(item, after), next)
    if (node.kind === "choice") {
      const starts = node.items.map((item) => build(item, next))
      return starts.reduceRight((second, first) => emit({ kind: "split", first, second }))
    }
    const split = (enter: number, leave: number): Instruction =>
      node.lazy
        ? { kind: "split", first: leave, second: enter }
        : { kind: "split", first: enter, second: leave }
    let start = next
    if (node.most === Infinity) {
      start = emit({ kind: "match" }) // replaced below: the loop must exist before what it repeats
      code[start] = split(build(node.item, start), next)
    } else for (let i = node.least; i < node.most; i++) start = emit(split(build(node.item, start), next))
    for (let i = 0; i < node.least; i++) start = build(node.item, start)
    return start
  }

  const first = build(node, emit({ kind: "match" }))
  const marks = new Uint32Array(code.length)
  let mark = 0

  const step = (places: Iterable<number>, members: Uint8Array | undefined) => {
    mark++
    const found = new Set<number>()
    let matched = false
    const stack: number[] = []
    for (const place of places) {
      // Place 0 stands for the start, wherever the construction has put it.
      stack.push(place === 0 ? first : place - 1)
      while (stack.length > 0 && !matched) {
        const at = stack.pop()!
        if (marks[at] === mark) continue
        marks[at] = mark
        const instruction = code[at]
        if (instruction.kind === "match") matched = true
        else if (instruction.kind === "split") stack.push(instruction.second, instruction.first)
        else {
          const inside = members !== undefined && members[instruction.set] === 1
          if (instruction.kind === "set") {
            if (inside) found.add(instruction.next + 1)
          } else if (inside !== instruction.negative) stack.push(instruction.next)
        }
      }
      if (matched) break
    }
    return { places: [...found], matched }
  }
  return { sets, step }
}
