// linear for one token and plain weights: one multiply-add chain an output, columns ascending, as in
// matrix-dense.ts, so both give the same bits.
import { DENSE_PANEL, Kind } from "../opcodes"
import { address, arg, scratch, unitsOf } from "./command"
import { panelBytes } from "./layout"
import { halfMask, upperMask } from "./constants"
import { HALF_SCALE, highHalves, lowHalves, madd } from "./math"

/** Rows 0..3 and 4..7 of a column of halves, in full size. Constants: see `columnMask`, HALF_SCALE. */
@inline export function lowColumn(kind: i32, packed: v128, mask: v128, scale: v128): v128 {
  if (kind == Kind.BF16) return i32x4.shl(packed, 16)
  return f32x4.mul(lowHalves(packed, mask), scale)
}
@inline export function highColumn(kind: i32, packed: v128, mask: v128, scale: v128): v128 {
  if (kind == Kind.BF16) return v128.and(packed, mask)
  return f32x4.mul(highHalves(packed, mask), scale)
}
@inline export function columnMask(kind: i32): v128 {
  return kind == Kind.BF16 ? upperMask() : halfMask()
}

/**
 * Four panels at once, each `far` bytes from the one before: distant streams keep more of the memory busy, and the
 * multiply-add's latency is longer than one panel's work a column.
 */
function panelsF32(x: usize, k: i32, p: usize, far: usize, out: usize): void {
  let q = p + far
  let r = q + far
  let s = r + far
  let a0: v128 = f32x4.splat(0)
  let a1 = a0
  let b0 = a0
  let b1 = a0
  let c0 = a0
  let c1 = a0
  let d0 = a0
  let d1 = a0
  for (const end = x + <usize>k * 4; x < end; x += 4) {
    const value = v128.load32_splat(x)
    a0 = madd(value, v128.load(p), a0)
    a1 = madd(value, v128.load(p, 16), a1)
    b0 = madd(value, v128.load(q), b0)
    b1 = madd(value, v128.load(q, 16), b1)
    c0 = madd(value, v128.load(r), c0)
    c1 = madd(value, v128.load(r, 16), c1)
    d0 = madd(value, v128.load(s), d0)
    d1 = madd(value, v128.load(s, 16), d1)
    p += 32
    q += 32
    r += 32
    s += 32
  }
  storeEight(out, a0, a1, b0, b1, c0, c1, d0, d1)
}

/** The same for halves; `kind` is a constant at every call, so that each gets a loop of its own. */
@inline function panelsOfHalves(kind: i32, x: usize, k: i32, p: usize, far: usize, out: usize): void {
  let q = p + far
  let r = q + far
  let s = r + far
  const mask = columnMask(kind)
  const scale = f32x4.splat(HALF_SCALE)
  let a0: v128 = f32x4.splat(0)
  let a1 = a0
  let b0 = a0
  let b1 = a0
  let c0 = a0
  let c1 = a0
  let d0 = a0
  let d1 = a0
  for (const end = x + <usize>k * 4; x < end; x += 4) {
    const value = v128.load32_splat(x)
    let w = v128.load(p)
    a0 = madd(value, lowColumn(kind, w, mask, scale), a0)
    a1 = madd(value, highColumn(kind, w, mask, scale), a1)
    w = v128.load(q)
    b0 = madd(value, lowColumn(kind, w, mask, scale), b0)
    b1 = madd(value, highColumn(kind, w, mask, scale), b1)
    w = v128.load(r)
    c0 = madd(value, lowColumn(kind, w, mask, scale), c0)
    c1 = madd(value, highColumn(kind, w, mask, scale), c1)
    w = v128.load(s)
    d0 = madd(value, lowColumn(kind, w, mask, scale), d0)
    d1 = madd(value, highColumn(kind, w, mask, scale), d1)
    p += 16
    q += 16
    r += 16
    s += 16
  }
  storeEight(out, a0, a1, b0, b1, c0, c1, d0, d1)
}

@inline function storeEight(
  out: usize, a0: v128, a1: v128, b0: v128, b1: v128, c0: v128, c1: v128, d0: v128, d1: v128,
): void {
  v128.store(out, a0)
  v128.store(out, a1, 16)
  v128.store(out, b0, 32)
  v128.store(out, b1, 48)
  v128.store(out, c0, 64)
  v128.store(out, c1, 80)
  v128.store(out, d0, 96)
  v128.store(out, d1, 112)
}

function panelsF16(x: usize, k: i32, p: usize, far: usize, out: usize): void {
  panelsOfHalves(Kind.F16, x, k, p, far, out)
}

function panelsBF16(x: usize, k: i32, p: usize, far: usize, out: usize): void {
  panelsOfHalves(Kind.BF16, x, k, p, far, out)
}

/** Operands as LinearMatrix: see matrix-dense.ts. Unit u: the panels u, u + units, ... , four at most. */
export function vectorDenseUnit(command: usize, unit: i32): void {
  const x = address(command, 0)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const units = unitsOf(command)
  const bytes = panelBytes(kind, k)
  const panels = (n + DENSE_PANEL - 1) / DENSE_PANEL
  const first = address(command, 2) + <usize>unit * bytes
  const count = (panels - unit + units - 1) / units
  // Fewer than four are done as four times the first: their copies below are left out.
  const far = count == 4 ? <usize>units * bytes : 0
  const times = count == 4 ? 1 : count
  for (let i = 0; i < times; i++) {
    const panel = first + <usize>(i * units) * bytes
    const out = scratch + <usize>i * 128
    if (kind == Kind.F32) panelsF32(x, k, panel, far, out)
    else if (kind == Kind.F16) panelsF16(x, k, panel, far, out)
    else panelsBF16(x, k, panel, far, out)
  }
  for (let i = 0; i < count; i++) {
    const row = (unit + i * units) * DENSE_PANEL
    const sums = scratch + <usize>i * (count == 4 ? 32 : 128)
    memory.copy(address(command, 3) + <usize>row * 4, sums, <usize>min(n - row, DENSE_PANEL) * 4)
  }
}
