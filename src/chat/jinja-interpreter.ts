// The library's interpreter with every step counted, so that no template can run or grow without bound.
// Why in process and not in a worker with a deadline: the interpreter sends every node of the template through one
// public method, `evaluate`, so work can be counted there. That is exact (the same template fails on every machine),
// synchronous, costs no start of a thread, and works alike in Node and in browsers, where a worker has no memory
// limit. What one node may cost is bounded before it runs: operands are evaluated first and their sizes charged, and
// only filters, methods and functions whose cost is known may be called. Values are the interpreter's own classes
// over Maps and arrays, so a template never touches an object of JavaScript.
import { Interpreter } from "@huggingface/jinja"
import { InvalidFileError } from "../errors/index.js"

/** Bounds of one rendering. */
export interface TemplateLimits {
  /** Units of work, about a nanosecond each. Default 2e8; a conversation of 1000 turns needs about a seventh. */
  work?: number
  /** Length of the result and of every text on the way, in UTF-16 units. Default 16777216. */
  textLength?: number
}

type Node = { readonly type: string; readonly [key: string]: unknown }
type Value = { readonly type: string; readonly value: unknown }
export type Scope = {
  set(name: string, value: unknown): unknown
  readonly tests: ReadonlyMap<string, (...values: (Value | undefined)[]) => boolean>
}

// the library's declarations leave out file extensions, so its classes arrive untyped here
interface LibraryInterpreter {
  evaluate(node: Node | undefined, scope: Scope): Value | undefined
  run(program: unknown): Value
}
const Library = Interpreter as unknown as new (scope: Scope) => LibraryInterpreter

const maxDepth = 400
export const cost = {
  node: 500,
  unknownName: 10_000,
  jump: 5000,
  iteration: 3000,
  walk: 150,
  member: 16,
  piece: 300,
  strftime: 20_000,
}

/** Filters and methods that look at a container's members, not into them. */
const shallow = new Set(
  "safe list first last length reverse items keys values get default selectattr rejectattr map abs bool".split(
    " ",
  ),
)
/** Filters that read or write every character of their operand. */
const deepFilters = new Set(
  "tojson string join sort dictsort unique replace indent upper lower title capitalize trim int float".split(
    " ",
  ),
)
const methods = new Set(
  "upper lower strip lstrip rstrip title capitalize startswith endswith split replace get items keys values dictsort".split(
    " ",
  ),
)

export class BoundedInterpreter extends Library {
  readonly #textLength: number
  readonly #templateCost: number
  #left: number
  #depth = 0

  constructor(scope: Scope, templateLength: number, limits: TemplateLimits) {
    super(scope)
    this.#left = limits.work ?? 2e8
    this.#textLength = limits.textLength ?? 2 ** 24
    this.#templateCost = templateLength * 20
  }

  charge(units: number): void {
    this.#left -= units
    // written so that NaN counts as too much
    if (!(this.#left >= 0))
      throw new InvalidFileError(
        "the chat template does more work than is allowed: use the built-in format, or a simpler template",
      )
  }

  override evaluate(node: Node | undefined, scope: Scope): Value | undefined {
    if (node?.type === "Known") return node.value as Value | undefined
    this.charge(cost.node)
    if (++this.#depth > maxDepth) throw new InvalidFileError("the chat template nests too deeply")
    try {
      const prepared = node === undefined ? undefined : this.#prepared(node, scope)
      const result = prepared?.type === "Known" ? (prepared.value as Value) : super.evaluate(prepared, scope)
      if (node !== undefined && result !== undefined) this.#checkResult(node, result)
      return result
    } finally {
      this.#depth--
    }
  }

  #checkResult(node: Node, result: Value): void {
    if (typeof result.value === "string" && result.value.length > this.#textLength)
      throw new InvalidFileError(`the chat template makes a text longer than ${this.#textLength} characters`)
    if (node.type === "Identifier") {
      if (result.type === "UndefinedValue") this.charge(cost.unknownName)
      if (node.value === "namespace" && node.called !== true)
        throw new InvalidFileError("the chat template takes namespace without calling it")
    } else if (node.type === "MemberExpression") {
      if (node.called !== true && result.type === "FunctionValue")
        throw new InvalidFileError("the chat template takes a method without calling it")
    } else if (node.type === "ObjectLiteral") {
      for (const key of (result.value as Map<string, Value>).keys()) this.charge(key.length)
    }
  }

  /** The node with its operands evaluated and their cost charged, ready for the library to finish. */
  #prepared(node: Node, scope: Scope): Node {
    switch (node.type) {
      case "Output":
        return this.#output(node, scope)
      case "BinaryExpression":
        return this.#binary(node, scope)
      case "FilterExpression":
        return this.#filter(node, scope)
      case "FilterStatement":
        return this.#filter(
          { ...node, type: "FilterExpression", operand: { type: "Program", body: node.body } },
          scope,
        )
      case "CallExpression":
        return this.#call(node, scope)
      case "MemberExpression":
        return this.#member(node, scope)
      case "For":
        return this.#loop(node, scope)
      case "Macro":
      case "CallStatement":
        // the library walks the whole body each time it meets the definition
        this.charge(this.#templateCost)
        return node
      case "Break":
      case "Continue":
        this.charge(cost.jump)
        return node
      default:
        return node
    }
  }

  #known(node: unknown, scope: Scope): Node & { value: Value } {
    const value = this.evaluate(node as Node, scope)
    // `[] | first` gives nothing at all, which later steps would trip over
    if (value === undefined) throw new InvalidFileError("the chat template takes a member of an empty list")
    return { type: "Known", value }
  }

  /** `{{ expression }}`: a container becomes JSON text here. */
  #output(node: Node, scope: Scope): Node {
    const output = this.#known(node.value, scope)
    if (typeof output.value?.value === "object" || typeof output.value?.value === "function")
      this.charge(4 * this.#size(output.value).units)
    return output
  }

  #loop(node: Node, scope: Scope): Node {
    const source = node.iterable as Node
    const select = source.type === "SelectExpression"
    const iterable = this.#known(select ? source.lhs : source, scope)
    this.charge(this.#members(iterable.value) * cost.iteration)
    return { ...node, iterable: select ? { ...source, lhs: iterable } : iterable }
  }

  #binary(node: Node, scope: Scope): Node {
    const operator = (node.operator as { value: string }).value
    if (operator === "and" || operator === "or") return node
    const left = this.#known(node.left, scope)
    const right = this.#known(node.right, scope)
    const a = left.value.value
    const b = right.value.value
    if (typeof a === "string" && typeof b === "string") {
      if (operator === "in" || operator === "not in") this.charge(b.length * (1 + a.length / 4))
      else if (operator !== "+" && operator !== "~" && a.length === b.length) this.charge(a.length)
    } else if (Array.isArray(a) && Array.isArray(b) && operator === "+") {
      this.charge((a.length + b.length) * cost.member)
    } else if (operator === "in" || operator === "not in") {
      this.charge((1 + this.#members(right.value)) * (1 + (typeof a === "string" ? a.length : 1)))
    } else {
      // `~`, `+`, `==` between unlike values turn containers into text
      for (const { value } of [left, right])
        if (typeof value.value === "object" || typeof value.value === "function")
          this.charge(4 * this.#size(value).units)
    }
    return { ...node, left, right }
  }

  #filter(node: Node, scope: Scope): Node {
    const filter = node.filter as Node
    const plain = filter.type === "Identifier"
    const name = String((plain ? filter : (filter.callee as Node)).value)
    if (name === "select" || name === "reject") return this.#select(name, node, scope)
    if (!shallow.has(name) && !deepFilters.has(name))
      throw new InvalidFileError(`the chat template uses the filter ${name}, which is not supported`)
    const operand = this.#known(node.operand, scope)
    const args = plain ? [] : this.#arguments(filter.args as Node[], scope)
    this.#chargeCall(name, operand.value, args, shallow.has(name))
    return { ...node, operand, filter: plain ? filter : { ...filter, args } }
  }

  /** `list | select('test', argument)` and its opposite, which the library lacks and Llama 3.1's template uses. */
  #select(name: "select" | "reject", node: Node, scope: Scope): Node {
    const operand = this.#known(node.operand, scope)
    const items = operand.value.value
    const [test, argument] = this.#arguments(((node.filter as Node).args ?? []) as Node[], scope).map(valueOf)
    const holds = scope.tests.get(String(test?.value))
    if (!Array.isArray(items) || holds === undefined)
      throw new InvalidFileError(
        `the chat template uses the filter ${name} other than on a list with a known test`,
      )
    this.charge(this.#members(operand.value) * (cost.member + this.#members(argument)))
    const kept = (items as Value[]).filter((item) => holds(item, argument) === (name === "select"))
    const List = operand.value.constructor as new (value: Value[]) => Value
    return { type: "Known", value: new List(kept) }
  }

  #call(node: Node, scope: Scope): Node {
    const args = this.#arguments(node.args as Node[], scope)
    const callee = node.callee as Node
    if (callee.type !== "MemberExpression") {
      // a macro, or a function of ours; the library's only own one, namespace, copies what it is given
      const copies = callee.type === "Identifier" && callee.value === "namespace"
      for (const argument of args) {
        const value = valueOf(argument)
        if (typeof value?.value === "string") continue
        this.charge(this.#members(value) * cost.member)
        if (!copies || !Array.isArray(value?.value)) continue
        for (const item of value.value as Value[]) this.charge(this.#members(item) * cost.piece)
      }
      return { ...node, args, callee: { ...callee, called: true } }
    }
    const object = this.#known(callee.object, scope)
    const property =
      callee.computed === true ? this.#known(callee.property, scope) : (callee.property as Node)
    const name = String(callee.computed === true ? (property.value as Value).value : property.value)
    if (!methods.has(name))
      throw new InvalidFileError(
        `the chat template calls the method ${name.slice(0, 64)}, which is not supported`,
      )
    this.#chargeCall(name, object.value, args, shallow.has(name))
    if (name === "split") this.charge(piecesOf(object.value, args[0]) * cost.piece)
    return { ...node, args, callee: { ...callee, object, property, called: true } }
  }

  #member(node: Node, scope: Scope): Node {
    if (node.called === true) return node
    const object = this.#known(node.object, scope)
    const slice = (node.property as Node).type === "SliceExpression"
    if (slice) this.charge(this.#members(object.value) * 50)
    if (node.computed !== true || slice) return { ...node, object }
    // an index flattens a text, a key is hashed
    const property = this.#known(node.property, scope)
    for (const { value } of [object, property])
      if (typeof value?.value === "string") this.charge(value.value.length / 4)
    return { ...node, object, property }
  }

  /** Arguments evaluated; literals stay as they are, since the library looks at their type. */
  #arguments(args: readonly Node[], scope: Scope): Node[] {
    return args.map((argument) => {
      if (argument.type.endsWith("Literal") && typeof argument.value !== "object") return argument
      if (argument.type === "KeywordArgumentExpression")
        return { ...argument, value: this.#known(argument.value, scope) }
      if (argument.type === "SpreadExpression" || argument.type === "KeywordSpreadExpression") {
        const spread = this.#known(argument.argument, scope)
        this.charge(this.#members(spread.value) * cost.member)
        return { ...argument, argument: spread }
      }
      return this.#known(argument, scope)
    })
  }

  /**
   * Charges what a filter or method can cost at most: operand times arguments, where a number counts as its value
   * (an indent of n writes n characters) and a text as its length (searching and replacing).
   */
  #chargeCall(name: string, operand: Value, args: readonly Node[], isShallow: boolean): void {
    let weight = 1
    for (const argument of args) {
      const value = valueOf(argument)
      if (isShallow) weight += typeof value?.value === "string" ? value.value.length / 4 : 0
      else if (typeof value?.value === "number") weight += Math.abs(value.value)
      else if (typeof value?.value === "boolean") weight += 1
      else if (value !== undefined) weight += this.#size(value).units / 4
    }
    if (isShallow) {
      this.charge((1 + this.#members(operand)) * cost.member * (name === "length" ? 0.1 : weight))
      return
    }
    const { units, depth } = this.#size(operand)
    if (name === "tojson") weight *= depth
    // a sort compares long keys many times over; its flags may ask for one inside tojson
    const sorts =
      name === "sort" || name === "dictsort" || args.some((argument) => keyOf(argument) === "sort_keys")
    this.charge(4 * units * weight * (sorts ? 1 + Math.min(units, 10_000) : 1))
  }

  /** How many members a container has, how many characters a text. */
  #members(value: Value | undefined): number {
    const inner = value?.value
    if (typeof inner === "string" || Array.isArray(inner)) return inner.length
    return inner instanceof Map ? inner.size : 0
  }

  /** Walks a value as the conversion to text does, charging each step, so that shared or cyclic parts show. */
  #size(value: Value, level = 1): { units: number; depth: number } {
    this.charge(cost.walk)
    if (level > 100)
      throw new InvalidFileError("the chat template makes a value that nests more than 100 deep")
    const inner = value?.value
    if (typeof inner === "function") throw new InvalidFileError("the chat template writes out a function")
    if (typeof inner === "string") return { units: 1 + inner.length, depth: level }
    let units = 8
    let depth = level
    const members = Array.isArray(inner)
      ? (inner as Value[])
      : inner instanceof Map
        ? [...inner.values()]
        : []
    if (inner instanceof Map) for (const key of inner.keys()) units += String(key).length
    for (const member of members as Value[]) {
      const part = this.#size(member, level + 1)
      units += part.units
      depth = Math.max(depth, part.depth)
    }
    return { units, depth }
  }
}

/** How many pieces a split makes at most. */
function piecesOf(operand: Value, separator: Node | undefined): number {
  const text = String(operand.value)
  const at = separator === undefined ? undefined : valueOf(separator)?.value
  if (typeof at !== "string" || at === "") return text.length / 2
  let pieces = 1
  for (let place = text.indexOf(at); place >= 0; place = text.indexOf(at, place + at.length)) pieces++
  return pieces
}

const keyOf = (argument: Node) =>
  argument.type === "KeywordArgumentExpression" ? (argument.key as Node).value : undefined

/** The value of an evaluated argument; a literal node carries its own. */
function valueOf(argument: Node): Value | undefined {
  if (argument.type === "Known") return argument.value as Value
  if (argument.type.endsWith("Literal")) return argument as unknown as Value
  const inner = (argument.type === "KeywordArgumentExpression" ? argument.value : argument.argument) as Node
  return inner.value as Value
}

/** Wraps every expression that stands as a statement, so that its conversion to text can be charged. */
export function markOutputs(node: unknown): void {
  if (typeof node !== "object" || node === null) return
  if (Array.isArray(node)) {
    for (const item of node) markOutputs(item)
    return
  }
  if (node instanceof Map) {
    for (const [key, value] of node) {
      markOutputs(key)
      markOutputs(value)
    }
    return
  }
  const parent = node as Record<string, unknown>
  for (const [key, child] of Object.entries(parent)) {
    markOutputs(child)
    if (!Array.isArray(child) || !["body", "defaultBlock", "alternate"].includes(key)) continue
    parent[key] = child.map((statement: Node) =>
      /Expression$|Literal$|^Identifier$|^Ternary$/.test(statement.type)
        ? // the library asks for instances of its own classes when it scans macros
          Object.assign(Object.create(Object.getPrototypeOf(statement) as object) as object, {
            type: "Output",
            value: statement,
          })
        : statement,
    )
  }
}
