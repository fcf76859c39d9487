// linear for one token and plain weights: one multiply-add chain an output, columns ascending, as in
// matrix-dense.ts, so both give the same bits.
import { DENSE_PANEL, Kind } from "../opcodes"
import { address, arg, scratch } from "./command"
import { panelBytes } from "./layout"
import { HALF_SCALE, highHalves, lowHalves, madd } from "./math"

/** Rows 0..3 and 4..7 of a column of halves, in full size. */
@inline export function lowColumn(kind: i32, packed: v128): v128 {
  if (kind == Kind.BF16) return i32x4.shl(packed, 16)
  return f32x4.mul(lowHalves(packed), f32x4.splat(HALF_SCALE))
}
@inline export function highColumn(kind: i32, packed: v128): v128 {
  if (kind == Kind.BF16) return v128.and(packed, i32x4.splat(0xffff0000))
  return f32x4.mul(highHalves(packed), f32x4.splat(HALF_SCALE))
}

/** Two panels at once: the multiply-add's latency is longer than one panel's work a column. */
function pairF32(x: usize, k: i32, p: usize, q: usize, out: usize): void {
  let a: v128 = f32x4.splat(0)
  let b = a
  let c = a
  let d = a
  for (let i = 0; i < k; i++) {
    const value = v128.load32_splat(x)
    a = madd(value, v128.load(p), a)
    b = madd(value, v128.load(p, 16), b)
    c = madd(value, v128.load(q), c)
    d = madd(value, v128.load(q, 16), d)
    x += 4
    p += 32
    q += 32
  }
  v128.store(out, a)
  v128.store(out, b, 16)
  v128.store(out, c, 32)
  v128.store(out, d, 48)
}

function pairF16(x: usize, k: i32, p: usize, q: usize, out: usize): void {
  let a: v128 = f32x4.splat(0)
  let b = a
  let c = a
  let d = a
  for (let i = 0; i < k; i++) {
    const value = v128.load32_splat(x)
    const v = v128.load(p)
    const w = v128.load(q)
    a = madd(value, lowColumn(Kind.F16, v), a)
    b = madd(value, highColumn(Kind.F16, v), b)
    c = madd(value, lowColumn(Kind.F16, w), c)
    d = madd(value, highColumn(Kind.F16, w), d)
    x += 4
    p += 16
    q += 16
  }
  v128.store(out, a)
  v128.store(out, b, 16)
  v128.store(out, c, 32)
  v128.store(out, d, 48)
}

function pairBF16(x: usize, k: i32, p: usize, q: usize, out: usize): void {
  let a: v128 = f32x4.splat(0)
  let b = a
  let c = a
  let d = a
  for (let i = 0; i < k; i++) {
    const value = v128.load32_splat(x)
    const v = v128.load(p)
    const w = v128.load(q)
    a = madd(value, lowColumn(Kind.BF16, v), a)
    b = madd(value, highColumn(Kind.BF16, v), b)
    c = madd(value, lowColumn(Kind.BF16, w), c)
    d = madd(value, highColumn(Kind.BF16, w), d)
    x += 4
    p += 16
    q += 16
  }
  v128.store(out, a)
  v128.store(out, b, 16)
  v128.store(out, c, 32)
  v128.store(out, d, 48)
}

/** Operands as LinearMatrix: see matrix-dense.ts. Unit: `arg 8` panels. */
export function vectorDenseUnit(command: usize, unit: i32): void {
  const x = address(command, 0)
  const weight = address(command, 2)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const each = arg(command, 8)
  const bytes = panelBytes(kind, k)
  const first = unit * each
  const last = min(first + each, (n + DENSE_PANEL - 1) / DENSE_PANEL)
  for (let p = first; p < last; p += 2) {
    const panel = weight + <usize>p * bytes
    // The last panel may be alone: it is its own partner then, and the copy below ends before the double.
    const partner = p + 1 < last ? panel + bytes : panel
    if (kind == Kind.F32) pairF32(x, k, panel, partner, scratch)
    else if (kind == Kind.F16) pairF16(x, k, panel, partner, scratch)
    else pairBF16(x, k, panel, partner, scratch)
    const row = p * DENSE_PANEL
    const rows = min(n - row, p + 1 < last ? 2 * DENSE_PANEL : DENSE_PANEL)
    memory.copy(address(command, 3) + <usize>row * 4, scratch, <usize>rows * 4)
  }
}
