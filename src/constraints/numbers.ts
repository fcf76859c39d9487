// JSON numbers within bounds as expressions: compared digit by digit, as decimal text. Numbers have at most 15
// significant digits beyond what the bounds themselves have, so that none changes when it is read as a double.
import { InvalidOptionError } from "../errors/index.js"
import { type Edge, type Expressions, type Node, unlimited } from "./expressions.js"
import { intersection } from "./intersection.js"

/** Digits before the point, and after it. */
const mostDigits = 15
const largest = 10n ** BigInt(mostDigits) - 1n
const largestSafe = BigInt(Number.MAX_SAFE_INTEGER)
const largestMultiple = 10_000

export interface Bounds {
  readonly min?: number
  readonly max?: number
  /** Whether the bound itself is no member. */
  readonly minExcluded?: boolean
  readonly maxExcluded?: boolean
  readonly multipleOf?: number
}

/** A number without sign: digits before and after the point, the latter without zeros at the end. */
interface Decimal {
  readonly whole: bigint
  readonly fraction: string
}
interface Limit extends Decimal {
  readonly excluded: boolean
}

/** @throws InvalidOptionError where no number satisfies the bounds, or they are beyond what is computed exactly. */
export function numberExpression(
  expressions: Expressions,
  integer: boolean,
  bounds: Bounds,
  place: string,
): Node {
  const writer = new NumberWriter(expressions, place)
  const { min, max, multipleOf } = bounds
  const plain = min === undefined && max === undefined
  const range = plain ? writer.any(integer, multipleOf === undefined) : writer.between(integer, bounds)
  if (multipleOf === undefined) return range
  return intersection(expressions, range, writer.multiples(multipleOf, integer))
}

class NumberWriter {
  readonly #expressions: Expressions
  readonly #place: string
  readonly #digit: Node

  constructor(expressions: Expressions, place: string) {
    this.#expressions = expressions
    this.#place = place
    this.#digit = this.#digitFrom(0, 9)
  }

  #fail(problem: string): never {
    throw new InvalidOptionError(`the schema at ${this.#place} does not work: ${problem}`)
  }

  #digitFrom(lo: number, hi: number, next: Node = this.#expressions.empty): Node {
    return this.#expressions.switch([{ lo: 48 + lo, hi: 48 + hi, next }], false)
  }

  any(integer: boolean, exponent: boolean): Node {
    const { sequence, repeat, optional, text, choice } = bound(this.#expressions)
    const nonzero = sequence(this.#digitFrom(1, 9), repeat(this.#digit, 0, mostDigits - 1))
    const whole = choice([text("0"), nonzero])
    const signed = choice([whole, sequence(text("-"), integer ? nonzero : whole)])
    if (integer) return signed
    const fraction = sequence(text("."), repeat(this.#digit, 1, mostDigits))
    const power = sequence(
      choice([text("e"), text("E")]),
      optional(choice([text("+"), text("-")])),
      repeat(this.#digit, 1, 2),
    )
    return sequence(signed, optional(fraction), exponent ? optional(power) : this.#expressions.empty)
  }

  between(integer: boolean, bounds: Bounds): Node {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = bounds
    const { minExcluded = false, maxExcluded = false } = bounds
    const options: Node[] = []
    const zeroIn = (min < 0 || (min === 0 && !minExcluded)) && (max > 0 || (max === 0 && !maxExcluded))
    if (max > 0 && (min < max || !(minExcluded || maxExcluded))) {
      const low = min > 0 ? this.#limit(min, minExcluded) : { ...zero, excluded: true }
      options.push(this.#magnitudes(integer, low, this.#limit(max, maxExcluded)))
    }
    if (zeroIn) {
      const zeros = this.#expressions.repeat(this.#expressions.text("0"), 1, mostDigits)
      const tail = integer
        ? this.#expressions.empty
        : this.#expressions.sequence(this.#expressions.text("."), zeros)
      options.push(this.#expressions.sequence(this.#expressions.text("0"), this.#expressions.optional(tail)))
    }
    if (min < 0 && (min < max || !(minExcluded || maxExcluded))) {
      const low = max < 0 ? this.#limit(max, maxExcluded) : { ...zero, excluded: true }
      const negative = this.#magnitudes(integer, low, this.#limit(min, minExcluded))
      options.push(this.#expressions.sequence(this.#expressions.text("-"), negative))
    }
    const node = this.#expressions.choice(options)
    if (node === this.#expressions.never) this.#fail("no number lies between its minimum and its maximum")
    return node
  }

  #limit(value: number, excluded: boolean): Limit {
    const { whole, fraction } = decimal(Math.abs(value))
    if (whole > largestSafe) return { whole: largest, fraction: "", excluded: false }
    if (fraction.length > 40) this.#fail(`the bound ${value} has more than 40 digits after the point`)
    return { whole, fraction, excluded }
  }

  /** Numbers without sign from low to high. */
  #magnitudes(integer: boolean, low: Limit, high: Limit): Node {
    if (integer) {
      const from = low.fraction !== "" || low.excluded ? low.whole + 1n : low.whole
      const to = high.fraction === "" && high.excluded ? high.whole - 1n : high.whole
      return this.#wholes(from, to)
    }
    if (low.whole > high.whole) return this.#expressions.never
    const width = Math.max(
      low.fraction.length,
      high.fraction.length,
      mostDigits - String(high.whole).length,
      1,
    )
    const point = (node: Node) => this.#expressions.sequence(this.#expressions.text("."), node)
    const above = (limit: Limit) => this.#fractionAbove(limit, width, undefined)
    const wholeOf = (limit: Limit) => this.#expressions.text(String(limit.whole))
    const exactly = (limit: Limit, isIn: boolean) => (isIn ? [wholeOf(limit)] : [])
    if (low.whole === high.whole) {
      const isIn = low.fraction === "" && !low.excluded && !(high.fraction === "" && high.excluded)
      const fraction = this.#fractionAbove(low, width, high)
      return this.#expressions.choice([
        ...exactly(low, isIn),
        this.#expressions.sequence(wholeOf(low), point(fraction)),
      ])
    }
    const any = this.#expressions.repeat(this.#digit, 1, width)
    return this.#expressions.choice([
      ...exactly(low, low.fraction === "" && !low.excluded),
      this.#expressions.sequence(wholeOf(low), point(above(low))),
      this.#expressions.sequence(
        this.#wholes(low.whole + 1n, high.whole - 1n),
        this.#expressions.optional(point(any)),
      ),
      ...exactly(high, high.fraction !== "" || !high.excluded),
      this.#expressions.sequence(
        wholeOf(high),
        point(this.#fractionAbove({ ...zero, excluded: false }, width, high)),
      ),
    ])
  }

  /** One to `width` digits after the point: not below `low`, and with `high` not above it. */
  #fractionAbove(low: Limit, width: number, high: Limit | undefined): Node {
    const made = new Map<string, Node>()
    const from = (at: number, tightLow: boolean, tightHigh: boolean): Node => {
      const key = `${at}${tightLow}${tightHigh}`
      const known = made.get(key)
      if (known) return known
      const lowDigit = tightLow ? Number(low.fraction[at] ?? 0) : 0
      const highDigit = tightHigh ? Number(high!.fraction[at] ?? 0) : 9
      const edges: Edge[] = []
      const lastDigit = at < width ? highDigit : -1
      for (let digit = lowDigit; digit <= lastDigit; digit++) {
        const next = from(at + 1, tightLow && digit === lowDigit, tightHigh && digit === highDigit)
        if (next !== this.#expressions.never) edges.push({ lo: 48 + digit, hi: 48 + digit, next })
      }
      // ending here means zeros from here on
      const aboveLow = !tightLow || (at >= low.fraction.length && !low.excluded)
      const belowHigh = !tightHigh || at < high!.fraction.length || !high!.excluded
      const final = at > 0 && aboveLow && belowHigh
      const node =
        edges.length > 0
          ? this.#expressions.switch(edges, final)
          : final
            ? this.#expressions.empty
            : this.#expressions.never
      made.set(key, node)
      return node
    }
    return from(0, true, high !== undefined)
  }

  /** Whole numbers from `from` to `to`, both at least 0. */
  #wholes(from: bigint, to: bigint): Node {
    if (from > to) return this.#expressions.never
    const options: Node[] = []
    for (let low = from; low <= to; ) {
      const lastOfLength = 10n ** BigInt(String(low).length) - 1n
      const high = lastOfLength < to ? lastOfLength : to
      options.push(this.#sameLength(String(low), String(high)))
      low = high + 1n
    }
    return this.#expressions.choice(options)
  }

  #sameLength(low: string, high: string): Node {
    const from = (at: number, tightLow: boolean, tightHigh: boolean): Node => {
      if (at === low.length) return this.#expressions.empty
      if (!tightLow && !tightHigh) return this.#exactly(low.length - at)
      const first = tightLow ? Number(low[at]) : 0
      const last = tightHigh ? Number(high[at]) : 9
      if (tightLow && tightHigh && first === last)
        return this.#digitFrom(first, first, from(at + 1, true, true))
      const edges: Edge[] = []
      const inner = [tightLow ? first + 1 : first, tightHigh ? last - 1 : last]
      if (tightLow) edges.push({ lo: 48 + first, hi: 48 + first, next: from(at + 1, true, false) })
      if (inner[0] <= inner[1])
        edges.push({ lo: 48 + inner[0], hi: 48 + inner[1], next: from(at + 1, false, false) })
      if (tightHigh) edges.push({ lo: 48 + last, hi: 48 + last, next: from(at + 1, false, true) })
      return this.#expressions.switch(edges, false)
    }
    return from(0, true, true)
  }

  #exactly(count: number): Node {
    let node: Node = this.#expressions.empty
    for (let i = 0; i < count; i++) node = this.#digitFrom(0, 9, node)
    return node
  }

  /** Decimal numbers, of any sign, that are a whole multiple: an automaton over the remainder. */
  multiples(multipleOf: number, integer: boolean): Node {
    const { whole, fraction } = decimal(multipleOf)
    // in units of the last digit of multipleOf
    const unit = BigInt(`${whole}${fraction}`)
    const places = integer ? 0 : fraction.length
    const modulus = Number(integer && fraction !== "" ? leastWhole(unit, fraction.length) : unit)
    if (!(modulus >= 1) || modulus * (places + 2) > largestMultiple)
      this.#fail(`multipleOf ${multipleOf} has too many digits to be kept to`)
    const scale = 10 ** places
    const wholes = Array.from({ length: modulus }, (_, rest) =>
      this.#expressions.open((rest * scale) % modulus === 0),
    )
    const fractions = Array.from({ length: places }, (_, i) =>
      Array.from({ length: modulus }, (_, rest) =>
        this.#expressions.open((rest * 10 ** (places - 1 - i)) % modulus === 0),
      ),
    )
    const digitEdges = (rest: number, targets: readonly Node[]) =>
      Array.from({ length: 10 }, (_, digit) => ({
        lo: 48 + digit,
        hi: 48 + digit,
        next: targets[(rest * 10 + digit) % modulus],
      }))
    wholes.forEach((node, rest) => {
      const first = fractions[0]
      const point = first
        ? [{ lo: 46, hi: 46, next: this.#expressions.switch(digitEdges(rest, first), false) }]
        : []
      this.#expressions.connect(node, [...point, ...digitEdges(rest, wholes)])
    })
    fractions.forEach((row, i) =>
      row.forEach((node, rest) => {
        if (i + 1 < places) this.#expressions.connect(node, digitEdges(rest, fractions[i + 1]))
      }),
    )
    const { sequence, optional, text } = bound(this.#expressions)
    return sequence(optional(text("-")), this.#expressions.switch(digitEdges(0, wholes), false))
  }
}

const zero: Decimal = { whole: 0n, fraction: "" }

/** The smallest whole number that is a multiple of unit / 10^places. */
function leastWhole(unit: bigint, places: number): bigint {
  let [a, b] = [unit, 10n ** BigInt(places)]
  while (b !== 0n) [a, b] = [b, a % b]
  return unit / a
}

/** A number of at least 0 as its decimal digits, the shortest that read as the same double. */
function decimal(value: number): Decimal {
  if (value === unlimited) return { whole: largestSafe + 1n, fraction: "" }
  const [mantissa, exponent = "0"] = String(value).split("e")
  const [before, after = ""] = mantissa.split(".")
  const shift = Number(exponent)
  const digits = before + after
  const point = before.length + shift
  if (point <= 0) return { whole: 0n, fraction: "0".repeat(-point) + digits }
  return { whole: BigInt(digits.slice(0, point).padEnd(point, "0")), fraction: digits.slice(point) }
}

/** The makers of expressions as plain functions. */
function bound(expressions: Expressions) {
  return {
    sequence: expressions.sequence.bind(expressions),
    choice: expressions.choice.bind(expressions),
    repeat: expressions.repeat.bind(expressions),
    optional: expressions.optional.bind(expressions),
    text: expressions.text.bind(expressions),
  }
}
