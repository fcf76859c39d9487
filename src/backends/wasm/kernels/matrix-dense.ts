// linear for many tokens and plain weights. A unit is one panel of 8 rows; a stretch of its columns is made floats
// once and multiplied with all tokens, four at a time. Sums go on through memory from one stretch to the next, so
// an output is the same chain of multiply-adds as in vector-dense.ts.
import { DENSE_PANEL, Kind, MAX_MATRIX_TOKENS } from "../opcodes"
import { address, arg, scratch } from "./command"
import { columnBytes, panelBytes } from "./layout"
import { HALF_SCALE, madd } from "./math"
import { columnMask, highColumn, lowColumn } from "./vector-dense"

const COLUMNS = 256
/** Scratch: sums [tokens][8 rows], then the tile [columns][8]. */
const TILE: usize = MAX_MATRIX_TOKENS * 32

function unpackColumns(kind: i32, source: usize, columns: i32): void {
  let tile = scratch + TILE
  const mask = columnMask(kind)
  const scale = f32x4.splat(HALF_SCALE)
  for (let i = 0; i < columns; i++) {
    const packed = v128.load(source)
    v128.store(tile, lowColumn(kind, packed, mask, scale))
    v128.store(tile, highColumn(kind, packed, mask, scale), 16)
    source += 16
    tile += 32
  }
}

/** 8 rows x 4 tokens over `columns` columns. */
function tileF32(columns: i32, tile: usize, x0: usize, x1: usize, x2: usize, x3: usize, sums: usize): void {
  let a00 = v128.load(sums)
  let a01 = v128.load(sums, 16)
  let a10 = v128.load(sums, 32)
  let a11 = v128.load(sums, 48)
  let a20 = v128.load(sums, 64)
  let a21 = v128.load(sums, 80)
  let a30 = v128.load(sums, 96)
  let a31 = v128.load(sums, 112)
  for (let i = 0; i < columns; i++) {
    const w0 = v128.load(tile)
    const w1 = v128.load(tile, 16)
    let x = v128.load32_splat(x0)
    a00 = madd(x, w0, a00)
    a01 = madd(x, w1, a01)
    x = v128.load32_splat(x1)
    a10 = madd(x, w0, a10)
    a11 = madd(x, w1, a11)
    x = v128.load32_splat(x2)
    a20 = madd(x, w0, a20)
    a21 = madd(x, w1, a21)
    x = v128.load32_splat(x3)
    a30 = madd(x, w0, a30)
    a31 = madd(x, w1, a31)
    tile += 32
    x0 += 4
    x1 += 4
    x2 += 4
    x3 += 4
  }
  v128.store(sums, a00)
  v128.store(sums, a01, 16)
  v128.store(sums, a10, 32)
  v128.store(sums, a11, 48)
  v128.store(sums, a20, 64)
  v128.store(sums, a21, 80)
  v128.store(sums, a30, 96)
  v128.store(sums, a31, 112)
}

/** Operands: x, bytes of a row of x, weight, y, tokens, K, N, kind. Unit: a panel. */
export function matrixDenseUnit(command: usize, unit: i32): void {
  const x = address(command, 0)
  const stride = <usize>arg(command, 1)
  const tokens = arg(command, 4)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const panel = address(command, 2) + <usize>unit * panelBytes(kind, k)
  memory.fill(scratch, 0, <usize>((tokens + 3) & ~3) * 32)
  for (let column = 0; column < k; column += COLUMNS) {
    const count = min(COLUMNS, k - column)
    let tile = panel + <usize>column * columnBytes(kind)
    if (kind != Kind.F32) {
      unpackColumns(kind, tile, count)
      tile = scratch + TILE
    }
    for (let token = 0; token < tokens; token += 4) {
      // Tokens past the end repeat the last one; their sums are not copied out.
      const at = x + <usize>column * 4
      tileF32(
        count, tile, at + <usize>token * stride,
        at + <usize>min(token + 1, tokens - 1) * stride,
        at + <usize>min(token + 2, tokens - 1) * stride,
        at + <usize>min(token + 3, tokens - 1) * stride,
        scratch + <usize>token * 32,
      )
    }
  }
  const row = unit * DENSE_PANEL
  const rows = <usize>min(n - row, DENSE_PANEL) * 4
  for (let token = 0; token < tokens; token++) {
    memory.copy(address(command, 3) + (<usize>token * n + row) * 4, scratch + <usize>token * 32, rows)
  }
}
