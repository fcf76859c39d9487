// Rows in the byte layout of weights/kind.ts, moved into panels as they stream in.
import { GROUP, INT_PANEL, Kind } from "../opcodes"
import { blockBytes, channelScales, columnBytes, halfPosition, isInt, panelBytes, panelRows } from "./layout"

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
  const half = halfPosition(inPanel)
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
  for (let i = 0; i < count; i++) {
    if (isInt(kind)) packIntRow(kind, source, weight, first + i, rows, k)
    else packDenseRow(kind, source, weight, first + i, k)
    source += bytes
  }
}
