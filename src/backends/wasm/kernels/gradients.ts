// Training: the backwards of the operations that look at one token, or one element, at a time, and the optimizer.
// Where gradients of many tokens meet in one place, a unit is a block of columns and goes through the tokens in order,
// so that sums do not depend on the number of threads.
import { COLUMN_BLOCK, DENSE_PANEL, FLAT_UNIT } from "../opcodes"
import { address, arg, real } from "./command"
import { flatEnd } from "./elementwise"
import { exp4, madd, sum4 } from "./math"
import { packPanelF32 } from "./pack"

/** Bytes of the columns of a block, whole vectors but for the last. */
@inline function blockEnd(columns: i32, unit: i32): usize {
  return <usize>min(columns - unit * COLUMN_BLOCK, COLUMN_BLOCK) * 4
}

/** `y[i] += x[i] * factor` for `end` bytes. */
@inline function addScaled(y: usize, x: usize, factor: f32, end: usize): void {
  const factors = f32x4.splat(factor)
  let i: usize = 0
  for (; i + 16 <= end; i += 16) v128.store(y + i, madd(v128.load(x + i), factors, v128.load(y + i)))
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i) * factor)
}

/** A tensor [N, K] in panels of 8 rows; rows that only fill up are zeros. Operands: x, weight, N, K. Unit: a panel. */
export function packWeightUnit(command: usize, unit: i32): void {
  const n = arg(command, 2)
  const k = arg(command, 3)
  const bytes = <usize>k * 4
  const x = address(command, 0) + <usize>(unit * DENSE_PANEL) * bytes
  const panel = address(command, 1) + <usize>(unit * DENSE_PANEL) * bytes
  const rows = min(DENSE_PANEL, n - unit * DENSE_PANEL)
  if (rows == DENSE_PANEL) return packPanelF32(x, bytes, panel, k)
  memory.fill(panel, 0, DENSE_PANEL * bytes)
  for (let row = 0; row < rows; row++) {
    for (let i: usize = 0; i < <usize>k; i++) {
      store<f32>(panel + i * (DENSE_PANEL * 4) + <usize>row * 4, load<f32>(x + <usize>row * bytes + i * 4))
    }
  }
}

/**
 * A matrix of floats [T, C] as eight columns side by side: [C / 8][T][8], columns that only fill up zeros. That is
 * its transpose, as a weight in panels and as tiles of tokens alike. Operands: x, y, T, C. Unit: eight columns.
 */
export function gatherColumnsUnit(command: usize, unit: i32): void {
  const t = arg(command, 2)
  const c = arg(command, 3)
  let x = address(command, 0) + <usize>(unit * 8) * 4
  let y = address(command, 1) + <usize>unit * <usize>t * 32
  const count = min(8, c - unit * 8)
  for (let row = 0; row < t; row++) {
    if (count == 8) {
      v128.store(y, v128.load(x))
      v128.store(y, v128.load(x, 16), 16)
    } else {
      memory.fill(y, 0, 32)
      memory.copy(y, x, <usize>count * 4)
    }
    x += <usize>c * 4
    y += 32
  }
}

/** Operands: dy, indices, into, tokens, columns. Unit: a block of columns. */
export function addRowsUnit(command: usize, unit: i32): void {
  const columns = arg(command, 4)
  const bytes = <usize>columns * 4
  const at = <usize>unit * COLUMN_BLOCK * 4
  const end = blockEnd(columns, unit)
  const indices = address(command, 1)
  let dy = address(command, 0) + at
  for (let token = 0; token < arg(command, 3); token++) {
    addScaled(address(command, 2) + at + <usize>load<i32>(indices + <usize>token * 4) * bytes, dy, 1, end)
    dy += bytes
  }
}

/** Operands: dy, x, gain, dx, 1 / root mean square of each token (made here), D, epsilon. Unit: a token. */
export function rmsNormGradientUnit(command: usize, token: i32): void {
  const d = arg(command, 5)
  const at = <usize>token * <usize>d * 4
  const dy = address(command, 0) + at
  const x = address(command, 1) + at
  const gain = address(command, 2)
  const dx = address(command, 3) + at
  const whole = <usize>(d & ~3) * 4
  const end = <usize>d * 4
  let a: v128 = f32x4.splat(0)
  let b: v128 = f32x4.splat(0)
  let i: usize = 0
  for (; i < whole; i += 16) {
    const value = v128.load(x + i)
    a = madd(value, value, a)
    b = madd(f32x4.mul(v128.load(dy + i), v128.load(gain + i)), value, b)
  }
  let squares = sum4(a)
  let products = sum4(b)
  for (; i < end; i += 4) {
    const value = load<f32>(x + i)
    squares += value * value
    products += load<f32>(dy + i) * load<f32>(gain + i) * value
  }
  const r: f32 = 1 / sqrt<f32>(squares / <f32>d + real(command, 6))
  const away: f32 = (-r * r * r * products) / <f32>d
  store<f32>(address(command, 4) + <usize>token * 4, r)
  for (i = 0; i < whole; i += 16) {
    const direct = f32x4.mul(f32x4.mul(v128.load(dy + i), v128.load(gain + i)), f32x4.splat(r))
    v128.store(dx + i, madd(v128.load(x + i), f32x4.splat(away), direct))
  }
  for (; i < end; i += 4) {
    store<f32>(dx + i, load<f32>(dy + i) * load<f32>(gain + i) * r + load<f32>(x + i) * away)
  }
}

/** Operands: dy, x, 1 / root mean square of each token, into, tokens, D. Unit: a block of columns. */
export function gainGradientUnit(command: usize, unit: i32): void {
  const d = arg(command, 5)
  const bytes = <usize>d * 4
  const at = <usize>unit * COLUMN_BLOCK * 4
  const end = blockEnd(d, unit)
  const into = address(command, 3) + at
  let dy = address(command, 0) + at
  let x = address(command, 1) + at
  for (let token = 0; token < arg(command, 4); token++) {
    const r = load<f32>(address(command, 2) + <usize>token * 4)
    let i: usize = 0
    for (; i + 16 <= end; i += 16) {
      const product = f32x4.mul(v128.load(dy + i), v128.load(x + i))
      v128.store(into + i, madd(product, f32x4.splat(r), v128.load(into + i)))
    }
    for (; i < end; i += 4) store<f32>(into + i, load<f32>(into + i) + load<f32>(dy + i) * load<f32>(x + i) * r)
    dy += bytes
    x += bytes
  }
}

/** Operands: dy, gate, up, d gate, d up, elements. Unit: FLAT_UNIT elements. */
export function swiGluGradientUnit(command: usize, unit: i32): void {
  const at = <usize>unit * FLAT_UNIT * 4
  const dy = address(command, 0) + at
  const gate = address(command, 1) + at
  const up = address(command, 2) + at
  const dGate = address(command, 3) + at
  const dUp = address(command, 4) + at
  const end = flatEnd(arg(command, 5), unit)
  const one = f32x4.splat(1)
  for (let i: usize = 0; i < end; i += 16) {
    const z = v128.load(gate + i)
    const sigmoid = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(z))))
    const gradient = f32x4.mul(v128.load(dy + i), sigmoid)
    v128.store(dUp + i, f32x4.mul(gradient, z))
    const slope = madd(z, f32x4.sub(one, sigmoid), one)
    v128.store(dGate + i, f32x4.mul(f32x4.mul(gradient, v128.load(up + i)), slope))
  }
}

/** Operands: x, y, elements, scale. Unit: FLAT_UNIT elements. */
export function scaleUnit(command: usize, unit: i32): void {
  const at = <usize>unit * FLAT_UNIT * 4
  const x = address(command, 0) + at
  const y = address(command, 1) + at
  const scale = f32x4.splat(real(command, 3))
  const end = flatEnd(arg(command, 2), unit)
  for (let i: usize = 0; i < end; i += 16) v128.store(y + i, f32x4.mul(v128.load(x + i), scale))
}

/** Operands: x, elements, value. Unit: FLAT_UNIT elements. */
export function fillUnit(command: usize, unit: i32): void {
  const x = address(command, 0) + <usize>unit * FLAT_UNIT * 4
  const value = f32x4.splat(real(command, 2))
  const end = flatEnd(arg(command, 1), unit)
  for (let i: usize = 0; i < end; i += 16) v128.store(x + i, value)
}

/** Sum of the squares of a part. Operands: x, sums, elements. Unit: FLAT_UNIT elements. */
export function squaresUnit(command: usize, unit: i32): void {
  const x = address(command, 0) + <usize>unit * FLAT_UNIT * 4
  const end = <usize>min(arg(command, 2) - unit * FLAT_UNIT, FLAT_UNIT) * 4
  let a: v128 = f32x4.splat(0)
  let i: usize = 0
  for (; i + 16 <= end; i += 16) {
    const value = v128.load(x + i)
    a = madd(value, value, a)
  }
  let sum = sum4(a)
  for (; i < end; i += 4) sum += load<f32>(x + i) * load<f32>(x + i)
  store<f32>(address(command, 1) + <usize>unit * 4, sum)
}

/** Operands: x, y, elements: `y = sum x`. One unit. */
export function sumUnit(command: usize): void {
  let sum: f64 = 0
  for (let i = 0; i < arg(command, 2); i++) sum += <f64>load<f32>(address(command, 0) + <usize>i * 4)
  store<f32>(address(command, 1), <f32>sum)
}

/**
 * Operands: parameter, gradient, m, v, elements, numbers. The numbers: scale of the gradient, beta1, 1 - beta1, beta2,
 * 1 - beta2, learning rate / (1 - beta1^step), 1 / (1 - beta2^step), epsilon, 1 - learning rate * decay.
 * Unit: FLAT_UNIT elements.
 */
export function adamWUnit(command: usize, unit: i32): void {
  const at = <usize>unit * FLAT_UNIT * 4
  const p = address(command, 0) + at
  const gradient = address(command, 1) + at
  const m = address(command, 2) + at
  const v = address(command, 3) + at
  const numbers = address(command, 5)
  const scale = v128.load32_splat(numbers)
  const beta1 = v128.load32_splat(numbers, 4)
  const rest1 = v128.load32_splat(numbers, 8)
  const beta2 = v128.load32_splat(numbers, 12)
  const rest2 = v128.load32_splat(numbers, 16)
  const rate = v128.load32_splat(numbers, 20)
  const correction = v128.load32_splat(numbers, 24)
  const epsilon = v128.load32_splat(numbers, 28)
  const keep = v128.load32_splat(numbers, 32)
  const end = flatEnd(arg(command, 4), unit)
  for (let i: usize = 0; i < end; i += 16) {
    const g = f32x4.mul(v128.load(gradient + i), scale)
    const mean = madd(beta1, v128.load(m + i), f32x4.mul(rest1, g))
    const square = madd(beta2, v128.load(v + i), f32x4.mul(rest2, f32x4.mul(g, g)))
    v128.store(m + i, mean)
    v128.store(v + i, square)
    const deviation = f32x4.add(f32x4.sqrt(f32x4.mul(square, correction)), epsilon)
    const step = f32x4.div(f32x4.mul(rate, mean), deviation)
    v128.store(p + i, f32x4.sub(f32x4.mul(v128.load(p + i), keep), step))
  }
}
