// Runs an expression over bytes. What has been read leads to a configuration: the set of places in the expression
// where the reader may be, each with the calls of rules that it has to return to. Configurations and the steps
// between them are made when they are first needed and kept, so most steps are one look into a table: the lazy
// subset construction, over stacks instead of single states.
import { InvalidOptionError } from "../errors/index.js"
import { type Edge, type Expressions, type Node, type Switch, unlimited } from "./expressions.js"

/** What is still to be read in the current rule: a list of expressions. */
export class Cell {
  readonly children = new Map<Node, Cell>()
  shortened: Cell | undefined
  constructor(
    readonly id: number,
    readonly node: Node | undefined,
    readonly tail: Cell | undefined,
  ) {}
}

/** Where to go on after the current rule. */
export class Frame {
  readonly children = new Map<Cell, Frame>()
  /** The configuration after a return to it. */
  popped = 0
  constructor(
    readonly id: number,
    readonly goOn: Cell | undefined,
    readonly parent: Frame | undefined,
  ) {}
}

/** Places within one frame; all cells begin with a switch. */
export interface Local {
  readonly id: number
  readonly cells: readonly Cell[]
}

export interface Configuration {
  readonly id: number
  readonly places: readonly { readonly local: Local; readonly frame: Frame }[]
}

/** Places that a configuration may have. */
const mostPlaces = 5_000
/** Entries of the table of steps, 4 bytes each. */
const mostSteps = 1 << 20
/** Fewer than 2^24, so that two numbers make one key. */
const mostCells = 300_000
/** Work, in places looked at, that is saved up at most; and what each mask or token adds: more than real ones need. */
const mostWork = 300_000
const earned = 10_000
export const dead = 0

export class Machine {
  readonly classOf: Uint8Array
  readonly classes: number
  /** Step from configuration c by a byte of class k: steps[c * classes + k]; 0 is dead, -1 not known yet. */
  steps: Int32Array
  /** Whether the bottom frame has been left: the text read is complete. */
  readonly ends: boolean[] = [false]
  readonly configurations: Configuration[] = [{ id: 0, places: [] }]
  readonly start: number
  readonly #expressions: Expressions
  readonly #sample: readonly number[]
  readonly #end = new Cell(0, undefined, undefined)
  readonly #inside = new Frame(0, undefined, undefined)
  readonly #outside = new Frame(1, undefined, undefined)
  readonly #locals = new Map<string, Local>()
  readonly #afterOne = new Map<number, number>()
  readonly #afterMany = new Map<string, number>()
  readonly #known = new Map<string, number>()
  #cells = 1
  #frames = 2
  readonly #onWork: ((work: number) => void) | undefined
  #work = 0
  #budget = 0

  /** `onWork` is told what is worked out, and has to say when it is too much. */
  constructor(expressions: Expressions, root: Node, onWork?: (work: number) => void) {
    this.#onWork = onWork
    this.#expressions = expressions
    const { classOf, first } = expressions.byteClasses()
    this.classOf = classOf
    this.classes = first.length
    this.#sample = first
    this.steps = new Int32Array(64 * this.classes).fill(-1)
    this.steps.fill(dead, 0, this.classes)
    this.#budget = onWork ? unlimited : mostWork
    this.start = root.dead ? dead : this.#closure([this.#inside], [this.#cons(root, this.#end)])
  }

  /** Whether it has grown so much that it should be made anew. */
  get isFull(): boolean {
    return this.configurations.length * this.classes > mostSteps || this.#cells > mostCells
  }

  /** Called for each mask and token: work that exceeds what they earn in the long run is too much. */
  earn(): void {
    this.#budget = Math.min(this.#work + mostWork, this.#budget + earned)
  }

  /** The configuration after one more byte; 0 when there is none. */
  step(configuration: number, byte: number): number {
    const at = configuration * this.classes + this.classOf[byte]
    const next = this.steps[at]
    return next >= 0 ? next : this.compute(configuration, this.classOf[byte])
  }

  /** Fills an entry of the table, which may be replaced by a larger one, and those like it. */
  compute(configuration: number, byteClass: number): number {
    const byte = this.#sample[byteClass]
    const frames: Frame[] = []
    const cells: Cell[] = []
    // bytes around this one that lead to the same places
    let first = 0
    let last = 255
    for (const { local, frame } of this.configurations[configuration].places) {
      this.#spend(local.cells.length)
      for (const { node, tail } of local.cells) {
        const { edges } = node as Switch
        const at = edgeFor(edges, byte)
        const edge = edges[at]
        if (edge && edge.lo <= byte) {
          first = Math.max(first, edge.lo)
          last = Math.min(last, edge.hi)
          frames.push(frame)
          cells.push(this.#cons(edge.next, tail!))
        } else {
          if (at > 0) first = Math.max(first, edges[at - 1].hi + 1)
          if (edge) last = Math.min(last, edge.lo - 1)
        }
      }
    }
    const next = this.#after(frames, cells)
    const row = configuration * this.classes
    this.steps.fill(next, row + this.classOf[first], row + this.classOf[last] + 1)
    return next
  }

  /** The closure of what a byte reached, each worked out once. */
  #after(frames: readonly Frame[], cells: readonly Cell[]): number {
    if (cells.length === 0) return dead
    if (cells.length === 1) {
      const key = frames[0].id * 2 ** 24 + cells[0].id
      let known = this.#afterOne.get(key)
      if (known === undefined) this.#afterOne.set(key, (known = this.#closure(frames, cells)))
      return known
    }
    let key = ""
    for (let i = 0; i < cells.length; i++) key += `${frames[i].id}:${cells[i].id},`
    let known = this.#afterMany.get(key)
    if (known === undefined) this.#afterMany.set(key, (known = this.#closure(frames, cells)))
    return known
  }

  /** The places alone, without what they return to: leaving them ends the text. */
  alone(local: Local): number {
    return this.#intern([{ local, frame: this.#outside }], false)
  }

  /** The configuration after the rule of this frame has ended. */
  popped(frame: Frame): number {
    if (!frame.parent) return dead
    if (frame.popped === 0) frame.popped = this.#closure([frame.parent], [frame.goOn!])
    return frame.popped
  }

  /** The same configuration, of another machine for the same expressions, in this one. */
  adopt(other: Machine, configuration: number): number {
    if (configuration === dead) return dead
    const places = other.configurations[configuration].places.map(({ local, frame }) => ({
      local: this.#local(local.cells.map((cell) => this.#copied(cell))),
      frame: this.#copiedFrame(frame),
    }))
    return this.#intern(places, other.ends[configuration])
  }

  #copied(cell: Cell): Cell {
    const nodes: Node[] = []
    for (let at = cell; at.node; at = at.tail!) nodes.push(at.node)
    return nodes.reduceRight((tail, node) => this.#cons(node, tail), this.#end)
  }

  #copiedFrame(frame: Frame): Frame {
    const returns: Cell[] = []
    for (let at = frame; at.parent; at = at.parent) returns.push(at.goOn!)
    return returns.reduceRight((parent, cell) => this.#push(this.#copied(cell), parent), this.#inside)
  }

  /** The same places with counts above `longest` made unlimited: no text of that many bytes tells them apart. */
  shortened(local: Local, longest: number): Local {
    return this.#local(local.cells.map((cell) => this.#shorten(cell, longest)))
  }

  #shorten(cell: Cell, longest: number): Cell {
    const { node, tail } = cell
    if (!node) return cell
    if (cell.shortened) return cell.shortened
    let less = node
    if (node.kind === "repeat" && !node.item.nullable && node.max !== unlimited && node.max > longest)
      less = this.#expressions.repeat(node.item, Math.min(node.min, longest + 1), unlimited)
    else if (node.kind === "repeat" && !node.item.nullable && node.min > longest + 1)
      less = this.#expressions.repeat(node.item, longest + 1, node.max)
    cell.shortened = this.#cons(less, this.#shorten(tail!, longest))
    return cell.shortened
  }

  #cons(node: Node, tail: Cell): Cell {
    if (node === this.#expressions.empty) return tail
    let cell = tail.children.get(node)
    if (!cell) tail.children.set(node, (cell = new Cell(this.#cells++, node, tail)))
    return cell
  }

  #push(goOn: Cell, parent: Frame): Frame {
    if (goOn === this.#end) return parent // nothing is left to do there: a call in last place needs no return
    let frame = parent.children.get(goOn)
    if (!frame) parent.children.set(goOn, (frame = new Frame(this.#frames++, goOn, parent)))
    return frame
  }

  /** Everything that can be reached without a byte. */
  #closure(fromFrames: readonly Frame[], fromCells: readonly Cell[]): number {
    const seen = new Map<Frame, Set<Cell>>()
    const todo: [Frame, Cell][] = []
    let count = 0
    const add = (frame: Frame, cell: Cell) => {
      let cells = seen.get(frame)
      if (!cells) seen.set(frame, (cells = new Set()))
      if (cells.has(cell)) return
      cells.add(cell)
      todo.push([frame, cell])
      if (++count > 4 * mostPlaces) tooAmbiguous()
    }
    fromCells.forEach((cell, i) => add(fromFrames[i], cell))
    const places = new Map<Frame, Cell[]>()
    let ends = false
    for (let next = todo.pop(); next; next = todo.pop()) {
      const [frame, cell] = next
      const { node, tail } = cell
      this.#spend(1)
      if (!node) {
        if (frame.parent) add(frame.parent, frame.goOn!)
        else ends = true
      } else if (node.dead) continue
      else if (node.kind === "switch") {
        const cells = places.get(frame)
        if (cells) cells.push(cell)
        else if (node.edges.length > 0) places.set(frame, [cell])
        if (node.final) add(frame, tail!)
      } else if (node.kind === "sequence") {
        let list = tail!
        for (let i = node.items.length - 1; i >= 0; i--) list = this.#cons(node.items[i], list)
        add(frame, list)
      } else if (node.kind === "choice") {
        for (const option of node.options) if (!option.dead) add(frame, this.#cons(option, tail!))
      } else if (node.kind === "repeat") {
        if (node.min === 0) add(frame, tail!)
        if (node.item.dead) continue
        const rest = this.#expressions.repeat(node.item, Math.max(0, node.min - 1), node.max - 1)
        add(frame, this.#cons(node.item, this.#cons(rest, tail!)))
      } else {
        add(this.#push(tail!, frame), this.#cons(node.body!, this.#end))
      }
    }
    const list = [...places].map(([frame, cells]) => ({ local: this.#local(cells), frame }))
    if (list.length === 0 && !ends) return dead
    return this.#intern(list, ends)
  }

  #local(cells: readonly Cell[]): Local {
    const sorted = [...new Set(cells)].toSorted((a, b) => a.id - b.id)
    if (sorted.length > mostPlaces) tooAmbiguous()
    const key = sorted.map(({ id }) => id).join()
    let local = this.#locals.get(key)
    if (!local) this.#locals.set(key, (local = { id: this.#locals.size, cells: sorted }))
    return local
  }

  #intern(places: { local: Local; frame: Frame }[], ends: boolean): number {
    const sorted = places.toSorted((a, b) => a.frame.id - b.frame.id)
    const key = sorted.map(({ local, frame }) => `${local.id}:${frame.id}`).join() + (ends ? "." : "")
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const id = this.configurations.length
    this.configurations.push({ id, places: sorted })
    this.ends.push(ends)
    this.#known.set(key, id)
    if ((id + 1) * this.classes > this.steps.length) {
      const larger = new Int32Array(2 * this.steps.length).fill(-1)
      larger.set(this.steps)
      this.steps = larger
    }
    return id
  }

  #spend(work: number): void {
    this.#work += work
    this.#onWork?.(work)
    if (this.#work > this.#budget) tooAmbiguous()
  }
}

/** The index of the first edge that does not end before a byte; edges are in order. */
function edgeFor(edges: readonly Edge[], byte: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (edges[middle].hi < byte) low = middle + 1
    else high = middle
  }
  return low
}

function tooAmbiguous(): never {
  throw new InvalidOptionError(
    "the constraint is too ambiguous: too many of its parts can match the same text. Simplify nested repetitions and choices that begin alike; make properties required, or fewer",
  )
}
