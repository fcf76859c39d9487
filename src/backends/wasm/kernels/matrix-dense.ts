// linear for many tokens and plain weights. A unit is one panel of 8 rows; a stretch of its columns is made floats
// once and multiplied with all tokens, four at a time. Sums go on through memory from one stretch to the next, so
// an output is the same chain of multiply-adds as in vector-dense.ts.
import { DENSE_PANEL, Kind, MAX_MATRIX_TOKENS, DENSE_TOKENS } from "../opcodes"
import { address, arg, scratch, wide } from "./command"
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
function tileF32(columns: i32, tile: usize, x: usize, sums: usize): void {
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
    let v = v128.load32_splat(x)
    a00 = madd(v, w0, a00)
    a01 = madd(v, w1, a01)
    v = v128.load32_splat(x, 4)
    a10 = madd(v, w0, a10)
    a11 = madd(v, w1, a11)
    v = v128.load32_splat(x, 8)
    a20 = madd(v, w0, a20)
    a21 = madd(v, w1, a21)
    v = v128.load32_splat(x, 12)
    a30 = madd(v, w0, a30)
    a31 = madd(v, w1, a31)
    tile += 32
    x += DENSE_TOKENS * 4
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

/**
 * 8 rows x 8 tokens, for engines that join vectors in pairs: the sums of four tokens alone would wait for the
 * latency of the multiply-add.
 */
function tileF32Wide(columns: i32, tile: usize, x: usize, sums: usize): void {
  let a00 = v128.load(sums)
  let a01 = v128.load(sums, 16)
  let a10 = v128.load(sums, 32)
  let a11 = v128.load(sums, 48)
  let a20 = v128.load(sums, 64)
  let a21 = v128.load(sums, 80)
  let a30 = v128.load(sums, 96)
  let a31 = v128.load(sums, 112)
  let a40 = v128.load(sums, 128)
  let a41 = v128.load(sums, 144)
  let a50 = v128.load(sums, 160)
  let a51 = v128.load(sums, 176)
  let a60 = v128.load(sums, 192)
  let a61 = v128.load(sums, 208)
  let a70 = v128.load(sums, 224)
  let a71 = v128.load(sums, 240)
  for (let i = 0; i < columns; i++) {
    const w0 = v128.load(tile)
    const w1 = v128.load(tile, 16)
    let v = v128.load32_splat(x)
    a00 = madd(v, w0, a00)
    a01 = madd(v, w1, a01)
    v = v128.load32_splat(x, 4)
    a10 = madd(v, w0, a10)
    a11 = madd(v, w1, a11)
    v = v128.load32_splat(x, 8)
    a20 = madd(v, w0, a20)
    a21 = madd(v, w1, a21)
    v = v128.load32_splat(x, 12)
    a30 = madd(v, w0, a30)
    a31 = madd(v, w1, a31)
    v = v128.load32_splat(x, 16)
    a40 = madd(v, w0, a40)
    a41 = madd(v, w1, a41)
    v = v128.load32_splat(x, 20)
    a50 = madd(v, w0, a50)
    a51 = madd(v, w1, a51)
    v = v128.load32_splat(x, 24)
    a60 = madd(v, w0, a60)
    a61 = madd(v, w1, a61)
    v = v128.load32_splat(x, 28)
    a70 = madd(v, w0, a70)
    a71 = madd(v, w1, a71)
    tile += 32
    x += DENSE_TOKENS * 4
  }
  v128.store(sums, a00)
  v128.store(sums, a01, 16)
  v128.store(sums, a10, 32)
  v128.store(sums, a11, 48)
  v128.store(sums, a20, 64)
  v128.store(sums, a21, 80)
  v128.store(sums, a30, 96)
  v128.store(sums, a31, 112)
  v128.store(sums, a40, 128)
  v128.store(sums, a41, 144)
  v128.store(sums, a50, 160)
  v128.store(sums, a51, 176)
  v128.store(sums, a60, 192)
  v128.store(sums, a61, 208)
  v128.store(sums, a70, 224)
  v128.store(sums, a71, 240)
}

/**
 * Tokens in tiles of 8, their values of one column side by side; missing tokens are zeros. Otherwise the tokens'
 * rows, often a power of two apart, fall on each other in the cache. Operands: x, y, tokens, K. Unit: a tile.
 */
export function interleaveUnit(command: usize, unit: i32): void {
  const tokens = arg(command, 2)
  const k = arg(command, 3)
  const y = address(command, 1) + <usize>(unit * DENSE_TOKENS * k) * 4
  const count = min(DENSE_TOKENS, tokens - unit * DENSE_TOKENS)
  if (count < DENSE_TOKENS) memory.fill(y, 0, <usize>(DENSE_TOKENS * k) * 4)
  for (let t = 0; t < count; t++) {
    let source = address(command, 0) + <usize>((unit * DENSE_TOKENS + t) * k) * 4
    let target = y + <usize>t * 4
    for (let i = 0; i < k; i++) {
      store<f32>(target, load<f32>(source))
      source += 4
      target += DENSE_TOKENS * 4
    }
  }
}

/**
 * Operands: tiles of x (see `interleaveUnit`), -, weight, y, tokens, K, N, kind, whether to add to y. Unit: a panel.
 */
export function matrixDenseUnit(command: usize, unit: i32): void {
  const x = address(command, 0)
  const tokens = arg(command, 4)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const panel = address(command, 2) + <usize>unit * panelBytes(kind, k)
  memory.fill(scratch, 0, <usize>((tokens + 7) & ~7) * 32)
  for (let column = 0; column < k; column += COLUMNS) {
    const count = min(COLUMNS, k - column)
    let tile = panel + <usize>column * columnBytes(kind)
    if (kind != Kind.F32) {
      unpackColumns(kind, tile, count)
      tile = scratch + TILE
    }
    for (let token = 0; token < tokens; token += DENSE_TOKENS) {
      const at = x + <usize>(token * k + column * DENSE_TOKENS) * 4
      const sums = scratch + <usize>token * 32
      if (wide) {
        tileF32Wide(count, tile, at, sums)
      } else {
        tileF32(count, tile, at, sums)
        if (token + 4 < tokens) tileF32(count, tile, at + 16, sums + 128)
      }
    }
  }
  const row = unit * DENSE_PANEL
  const rows = <usize>min(n - row, DENSE_PANEL) * 4
  const adds = arg(command, 8)
  for (let token = 0; token < tokens; token++) {
    const y = address(command, 3) + (<usize>token * n + row) * 4
    const sums = scratch + <usize>token * 32
    if (adds) for (let i: usize = 0; i < rows; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(sums + i))
    else memory.copy(y, sums, rows)
  }
}
