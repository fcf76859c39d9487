// The operations that look at one token, or one element, at a time.
import { FLAT_UNIT } from "../opcodes"
import { address, arg, real } from "./command"
import { exp4, madd, sum4 } from "./math"

/** Operands: x, gain, y, D, epsilon. Unit: a token. */
export function rmsNormUnit(command: usize, token: i32): void {
  const d = arg(command, 3)
  const x = address(command, 0) + <usize>token * d * 4
  const gain = address(command, 1)
  const y = address(command, 2) + <usize>token * d * 4
  let a = f32x4.splat(0)
  let b = f32x4.splat(0)
  let c = f32x4.splat(0)
  let e = f32x4.splat(0)
  const whole = <usize>(d & ~15) * 4
  const end = <usize>d * 4
  let i: usize = 0
  for (; i < whole; i += 64) {
    const x0 = v128.load(x + i)
    const x1 = v128.load(x + i, 16)
    const x2 = v128.load(x + i, 32)
    const x3 = v128.load(x + i, 48)
    a = madd(x0, x0, a)
    b = madd(x1, x1, b)
    c = madd(x2, x2, c)
    e = madd(x3, x3, e)
  }
  let squares = sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, e)))
  for (; i < end; i += 4) squares += load<f32>(x + i) * load<f32>(x + i)
  const factor: f32 = 1 / sqrt<f32>(squares / <f32>d + real(command, 4))
  const factors = f32x4.splat(factor)
  for (i = 0; i < whole; i += 16) {
    v128.store(y + i, f32x4.mul(f32x4.mul(v128.load(x + i), factors), v128.load(gain + i)))
  }
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(x + i) * factor * load<f32>(gain + i))
}

/** Operands: x, rotation, y, columns of x, head width E, sign of the angles (-1 turns back). Unit: a token. */
export function ropeUnit(command: usize, token: i32): void {
  const columns = arg(command, 3)
  const width = arg(command, 4)
  const half = <usize>(width >> 1) * 4
  const sign = real(command, 5)
  const x = address(command, 0) + <usize>token * columns * 4
  const cosines = address(command, 1) + <usize>token * width * 4
  const sines = cosines + half
  const y = address(command, 2) + <usize>token * columns * 4
  const end = <usize>columns * 4
  for (let head: usize = 0; head < end; head += half * 2) {
    let i: usize = 0
    for (; i + 16 <= half; i += 16) {
      const c = v128.load(cosines + i)
      const s = f32x4.mul(v128.load(sines + i), f32x4.splat(sign))
      const first = v128.load(x + head + i)
      const second = v128.load(x + head + half + i)
      v128.store(y + head + i, f32x4.sub(f32x4.mul(first, c), f32x4.mul(second, s)))
      v128.store(y + head + half + i, f32x4.add(f32x4.mul(second, c), f32x4.mul(first, s)))
    }
    for (; i < half; i += 4) {
      const c = load<f32>(cosines + i)
      const s = load<f32>(sines + i) * sign
      const first = load<f32>(x + head + i)
      const second = load<f32>(x + head + half + i)
      store<f32>(y + head + i, first * c - second * s)
      store<f32>(y + head + half + i, second * c + first * s)
    }
  }
}

/** Bytes of the flat unit that remain, whole vectors: tensors are padded to 64 bytes. */
@inline export function flatEnd(count: i32, unit: i32): usize {
  return <usize>min(count - unit * FLAT_UNIT, FLAT_UNIT) * 4
}

/** Operands: gate, up, y, elements. Unit: FLAT_UNIT elements. */
export function swiGluUnit(command: usize, unit: i32): void {
  const at = <usize>unit * FLAT_UNIT * 4
  const gate = address(command, 0) + at
  const up = address(command, 1) + at
  const y = address(command, 2) + at
  const end = flatEnd(arg(command, 3), unit)
  for (let i: usize = 0; i < end; i += 16) {
    const z = v128.load(gate + i)
    const silu = f32x4.div(z, f32x4.add(f32x4.splat(1), exp4(f32x4.neg(z))))
    v128.store(y + i, f32x4.mul(silu, v128.load(up + i)))
  }
}

/** Operands: x, y, sum, elements, scale of y. Unit: FLAT_UNIT elements. */
export function addUnit(command: usize, unit: i32): void {
  const at = <usize>unit * FLAT_UNIT * 4
  const x = address(command, 0) + at
  const y = address(command, 1) + at
  const sum = address(command, 2) + at
  const end = flatEnd(arg(command, 3), unit)
  const scale = f32x4.splat(real(command, 4))
  for (let i: usize = 0; i < end; i += 16) v128.store(sum + i, madd(v128.load(y + i), scale, v128.load(x + i)))
}
