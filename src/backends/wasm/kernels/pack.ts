// Rows in the byte layout of weights/kind.ts, moved into panels as they stream in.
import { DENSE_PANEL, GROUP, INT_PANEL, Kind } from "../opcodes"
import { byteNibbles } from "./constants"
import {
  blockBytes,
  channelScales,
  columnBytes,
  halfPosition,
  isInt,
  panelBytes,
  panelRows,
  scalePosition,
} from "./layout"

/** The low nibbles of four bytes, and of four more shifted up beside them. */
@inline function nibbles(low: u32, high: u32): u32 {
  return (low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4)
}

/** ggml's 16 bytes (element i low, i + 16 high) into lane `row` of a block. */
@inline function packNibbles(source: usize, lane: usize): void {
  const a = load<u32>(source)
  const b = load<u32>(source, 4)
  const c = load<u32>(source, 8)
  const d = load<u32>(source, 12)
  store<u32>(lane, nibbles(a, b))
  store<u32>(lane, nibbles(c, d), 64)
  store<u32>(lane, nibbles(a >> 4, b >> 4), 128)
  store<u32>(lane, nibbles(c >> 4, d >> 4), 192)
}

@inline function packBytes(source: usize, lane: usize): void {
  for (let part: usize = 0; part < 8; part++) store<u32>(lane + part * 64, load<u32>(source + part * 4))
}

function packIntRow(kind: i32, source: usize, weight: usize, row: i32, rows: i32, k: i32): void {
  const block = blockBytes(kind)
  const inPanel = <usize>(row % INT_PANEL)
  let target = weight + <usize>(row / INT_PANEL) * panelBytes(kind, k)
  const half = scalePosition(inPanel)
  if (kind == Kind.Int8Channel) {
    store<f32>(channelScales(weight, rows, k) + <usize>row * 4, load<f32>(source))
    source += 4
  }
  for (let g = 0; g < k / GROUP; g++) {
    const lane = target + inPanel * 4
    if (kind == Kind.Int4) {
      store<u16>(target + 256 + half, load<u16>(source))
      packNibbles(source + 2, lane)
      source += 18
    } else if (kind == Kind.Int4Min) {
      store<u16>(target + 256 + half, load<u16>(source))
      store<u16>(target + 288 + half, load<u16>(source, 2))
      packNibbles(source + 4, lane)
      source += 20
    } else if (kind == Kind.Int8) {
      store<u16>(target + 512 + half, load<u16>(source))
      packBytes(source + 2, lane)
      source += 34
    } else {
      packBytes(source, lane)
      source += 32
    }
    target += block
  }
}

function packDenseRow(kind: i32, source: usize, weight: usize, row: i32, k: i32): void {
  const inPanel = <usize>(row % panelRows(kind))
  const panel = weight + <usize>(row / panelRows(kind)) * panelBytes(kind, k)
  if (kind == Kind.F32) {
    let target = panel + inPanel * 4
    for (let i = 0; i < k; i++) {
      store<f32>(target, load<f32>(source))
      source += 4
      target += columnBytes(Kind.F32)
    }
  } else {
    let target = panel + halfPosition(inPanel)
    for (let i = 0; i < k; i++) {
      store<u16>(target, load<u16>(source))
      source += 2
      target += columnBytes(Kind.F16)
    }
  }
}

/** Vectors a..d become lanes 0..3 of four vectors, `step` bytes apart. */
@inline function storeTransposed(a: v128, b: v128, c: v128, d: v128, target: usize, step: usize): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(target, v128.shuffle<i64>(ab, cd, 0, 2))
  v128.store(target + step, v128.shuffle<i64>(ab, cd, 1, 3))
  v128.store(target + 2 * step, v128.shuffle<i64>(ef, gh, 0, 2))
  v128.store(target + 3 * step, v128.shuffle<i64>(ef, gh, 1, 3))
}

/** What `packNibbles` does for one row: its four lanes. */
@inline function nibbleLanes(source: usize): v128 {
  const packed = v128.load(source)
  const mask = byteNibbles()
  const low = v128.and(packed, mask)
  const high = v128.and(i16x8.shr_u(packed, 4), mask)
  const even = v128.shuffle<i32>(low, high, 0, 2, 4, 6)
  return v128.or(even, i16x8.shl(v128.shuffle<i32>(low, high, 1, 3, 5, 7), 4))
}

/** `packIntRow` for four rows, the first a multiple of four, whose sources lie `bytes` apart. */
function packIntRows(kind: i32, source: usize, bytes: usize, weight: usize, row: i32, rows: i32, k: i32): void {
  const block = blockBytes(kind)
  const inPanel = <usize>(row % INT_PANEL)
  let target = weight + <usize>(row / INT_PANEL) * panelBytes(kind, k)
  const half = scalePosition(inPanel)
  if (kind == Kind.Int8Channel) {
    const scales = channelScales(weight, rows, k) + <usize>row * 4
    for (let r: usize = 0; r < 4; r++) store<f32>(scales + r * 4, load<f32>(source + r * bytes))
  }
  const header: usize = kind == Kind.Int4Min || kind == Kind.Int8Channel ? 4 : 2
  const body: usize = kind >= Kind.Int4 ? 16 : 32
  // int8-channel has its header once a row, the others once a group.
  if (kind == Kind.Int8Channel) source += header
  const step = kind == Kind.Int8Channel ? body : header + body
  for (let g = 0; g < k / GROUP; g++) {
    if (kind != Kind.Int8Channel) {
      const scales = target + (kind == Kind.Int8 ? 512 : 256) + half
      for (let r: usize = 0; r < 4; r++) {
        // Halves of four neighbours are in four lanes: see scalePosition.
        store<u16>(scales + r * 4, load<u16>(source + r * bytes))
        if (kind == Kind.Int4Min) store<u16>(scales + 32 + r * 4, load<u16>(source + r * bytes, 2))
      }
    }
    let a = kind == Kind.Int8Channel ? source : source + header
    const lane = target + inPanel * 4
    if (kind >= Kind.Int4) {
      storeTransposed(
        nibbleLanes(a), nibbleLanes(a + bytes), nibbleLanes(a + 2 * bytes), nibbleLanes(a + 3 * bytes), lane, 64,
      )
    } else {
      for (let part: usize = 0; part < 512; part += 256) {
        storeTransposed(
          v128.load(a), v128.load(a + bytes), v128.load(a + 2 * bytes), v128.load(a + 3 * bytes), lane + part, 64,
        )
        a += 16
      }
    }
    source += step
    target += block
  }
}

/** A panel's 8 rows of floats at once, four columns at a time. */
export function packPanelF32(source: usize, bytes: usize, panel: usize, k: i32): void {
  let i = 0
  for (; i + 4 <= k; i += 4) {
    for (let half: usize = 0; half < 2; half++) {
      const a = source + half * 4 * bytes
      storeTransposed(
        v128.load(a), v128.load(a + bytes), v128.load(a + 2 * bytes), v128.load(a + 3 * bytes), panel + half * 16, 32,
      )
    }
    source += 16
    panel += 128
  }
  for (; i < k; i++) {
    for (let r: usize = 0; r < 8; r++) store<f32>(panel + r * 4, load<f32>(source + r * bytes))
    source += 4
    panel += 32
  }
}

/** A panel's 8 rows of halves at once, eight columns at a time. */
function packPanelHalves(source: usize, bytes: usize, panel: usize, k: i32): void {
  let i = 0
  for (; i + 8 <= k; i += 8) {
    const a = source
    const b = source + 4 * bytes
    // Rows r and r + 4 side by side, then lanes are columns.
    for (let side = 0; side < 2; side++) {
      storeTransposed(
        pairRows(a, b, side), pairRows(a + bytes, b + bytes, side), pairRows(a + 2 * bytes, b + 2 * bytes, side),
        pairRows(a + 3 * bytes, b + 3 * bytes, side), panel + <usize>side * 64, 16,
      )
    }
    source += 16
    panel += 128
  }
  for (; i < k; i++) {
    for (let r: usize = 0; r < 8; r++) store<u16>(panel + halfPosition(r), load<u16>(source + r * bytes))
    source += 2
    panel += 16
  }
}

/** Columns 0..3 (side 0) or 4..7 of two rows: the first in the low halves of the lanes, the other in the high ones. */
@inline function pairRows(a: usize, b: usize, side: i32): v128 {
  if (side == 0) return v128.shuffle<i16>(v128.load(a), v128.load(b), 0, 8, 1, 9, 2, 10, 3, 11)
  return v128.shuffle<i16>(v128.load(a), v128.load(b), 4, 12, 5, 13, 6, 14, 7, 15)
}

/** Packs `count` rows of `bytes` each, the first of them row `first` of a weight [rows, k]. */
export function pack(
  kind: i32,
  source: usize,
  bytes: i32,
  weight: usize,
  first: i32,
  count: i32,
  rows: i32,
  k: i32,
): void {
  const together = isInt(kind) ? 4 : DENSE_PANEL
  const step = <usize>bytes
  let row = first
  const end = first + count
  while (row < end) {
    if (row % together != 0 || row + together > end) {
      if (isInt(kind)) packIntRow(kind, source, weight, row, rows, k)
      else packDenseRow(kind, source, weight, row, k)
      source += step
      row++
      continue
    }
    const panel = weight + <usize>(row / panelRows(kind)) * panelBytes(kind, k)
    if (isInt(kind)) packIntRows(kind, source, step, weight, row, rows, k)
    else if (kind == Kind.F32) packPanelF32(source, step, panel, k)
    else packPanelHalves(source, step, panel, k)
    source += step * together
    row += together
  }
}
