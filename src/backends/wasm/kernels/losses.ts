// Log probabilities and cross-entropy of logits, and their gradients: a unit is a row of logits.
import { address, arg } from "./command"
import { exp4, log, max4, sum4 } from "./math"

@inline function row(command: usize, index: i32, unit: i32, columns: i32): usize {
  return address(command, index) + <usize>unit * <usize>columns * 4
}

function largestOf(x: usize, columns: i32): f32 {
  let a = f32x4.splat(-Infinity)
  const end = <usize>columns * 4
  let i: usize = 0
  for (; i + 16 <= end; i += 16) a = f32x4.pmax(a, v128.load(x + i))
  let largest = max4(a)
  for (; i < end; i += 4) largest = max(largest, load<f32>(x + i))
  return largest
}

@inline function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0)
}

/** `sum exp(x - largest)`; the terms go to y unless it is 0. */
function exponentials(x: usize, columns: i32, largest: f32, y: usize): f32 {
  const base = f32x4.splat(largest)
  const end = <usize>columns * 4
  let a: v128 = f32x4.splat(0)
  let i: usize = 0
  for (; i + 16 <= end; i += 16) {
    const term = exp4(f32x4.sub(v128.load(x + i), base))
    a = f32x4.add(a, term)
    if (y) v128.store(y + i, term)
  }
  let sum = sum4(a)
  for (; i < end; i += 4) {
    const term = exp1(load<f32>(x + i) - largest)
    sum += term
    if (y) store<f32>(y + i, term)
  }
  return sum
}

function logSumExp(x: usize, columns: i32): f32 {
  const largest = largestOf(x, columns)
  return largest + <f32>log(<f64>exponentials(x, columns, largest, 0))
}

/** `dx = softmax(x) * factor`. */
function scaledSoftmax(x: usize, columns: i32, factor: f32, dx: usize): void {
  const scale: f32 = factor / exponentials(x, columns, largestOf(x, columns), dx)
  const end = <usize>columns * 4
  let i: usize = 0
  for (; i + 16 <= end; i += 16) v128.store(dx + i, f32x4.mul(v128.load(dx + i), f32x4.splat(scale)))
  for (; i < end; i += 4) store<f32>(dx + i, load<f32>(dx + i) * scale)
}

@inline function addTo(at: usize, value: f32): void {
  store<f32>(at, load<f32>(at) + value)
}

/** Operands: logits, targets, y, V. */
export function logProbabilitiesUnit(command: usize, unit: i32): void {
  const columns = arg(command, 3)
  const x = row(command, 0, unit, columns)
  const target = <usize>load<i32>(address(command, 1) + <usize>unit * 4)
  store<f32>(address(command, 2) + <usize>unit * 4, load<f32>(x + target * 4) - logSumExp(x, columns))
}

/** Operands: logits, targets, dx, V, dy. */
export function logProbabilitiesGradientUnit(command: usize, unit: i32): void {
  const columns = arg(command, 3)
  const dx = row(command, 2, unit, columns)
  const dy = load<f32>(address(command, 4) + <usize>unit * 4)
  scaledSoftmax(row(command, 0, unit, columns), columns, -dy, dx)
  addTo(dx + <usize>load<i32>(address(command, 1) + <usize>unit * 4) * 4, dy)
}

/** Operands: logits, ids, y, V, probabilities, k. */
export function crossEntropyUnit(command: usize, unit: i32): void {
  const columns = arg(command, 3)
  const k = arg(command, 5)
  const x = row(command, 0, unit, columns)
  const ids = row(command, 1, unit, k)
  const p = row(command, 4, unit, k)
  const total = logSumExp(x, columns)
  let sum: f32 = 0
  for (let j: usize = 0; j < <usize>k * 4; j += 4) {
    sum += load<f32>(p + j) * (total - load<f32>(x + <usize>load<i32>(ids + j) * 4))
  }
  store<f32>(address(command, 2) + <usize>unit * 4, sum)
}

/** Operands: logits, ids, dx, V, probabilities, k, dy. */
export function crossEntropyGradientUnit(command: usize, unit: i32): void {
  const columns = arg(command, 3)
  const k = arg(command, 5)
  const ids = row(command, 1, unit, k)
  const p = row(command, 4, unit, k)
  const dx = row(command, 2, unit, columns)
  const dy = load<f32>(address(command, 6) + <usize>unit * 4)
  let mass: f32 = 0
  for (let j: usize = 0; j < <usize>k * 4; j += 4) mass += load<f32>(p + j)
  scaledSoftmax(row(command, 0, unit, columns), columns, dy * mass, dx)
  for (let j: usize = 0; j < <usize>k * 4; j += 4) {
    addTo(dx + <usize>load<i32>(ids + j) * 4, -dy * load<f32>(p + j))
  }
}
