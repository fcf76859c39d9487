// embedding and rows: whole rows copied or dequantized, one row a unit.
import { GROUP, Kind } from "../opcodes"
import { address, arg } from "./command"
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
import { halfToFloat } from "./math"

/** Operands: x, indices, y, columns. Unit: one of the indices. */
export function copyRowsUnit(command: usize, unit: i32): void {
  const bytes = <usize>arg(command, 3) * 4
  const index = <usize>load<i32>(address(command, 1) + <usize>unit * 4)
  memory.copy(address(command, 2) + <usize>unit * bytes, address(command, 0) + index * bytes, bytes)
}

/** Operands: table, ids, y, columns K, kind, rows of the table. Unit: one id. */
export function embeddingUnit(command: usize, unit: i32): void {
  const id = load<i32>(address(command, 1) + <usize>unit * 4)
  const k = arg(command, 3)
  decodeRow(address(command, 0), id, arg(command, 4), k, arg(command, 5), address(command, 2) + <usize>unit * k * 4)
}

/** A weight of any kind as floats [N, K]. Operands: weight, y, K, kind, N. Unit: a row. */
export function decodeUnit(command: usize, unit: i32): void {
  const k = arg(command, 2)
  decodeRow(address(command, 0), unit, arg(command, 3), k, arg(command, 4), address(command, 1) + <usize>unit * k * 4)
}

/** Row `id` of a weight [rows, k] as floats. */
function decodeRow(table: usize, id: i32, kind: i32, k: i32, rows: i32, y: usize): void {
  const panel = table + <usize>(id / panelRows(kind)) * panelBytes(kind, k)
  const row = <usize>(id % panelRows(kind))
  if (isInt(kind)) {
    const scale: f32 =
      kind == Kind.Int8Channel ? load<f32>(channelScales(table, rows, k) + <usize>id * 4) : 0
    integerRow(kind, panel, row, k, scale, y)
  } else {
    denseRow(kind, panel, row, k, y)
  }
}

function denseRow(kind: i32, panel: usize, row: usize, k: i32, y: usize): void {
  const step = columnBytes(kind)
  const source = panel + (kind == Kind.F32 ? row * 4 : halfPosition(row))
  for (let i: usize = 0; i < <usize>k; i++) {
    let value: f32
    if (kind == Kind.F32) value = load<f32>(source + i * step)
    else if (kind == Kind.BF16) value = reinterpret<f32>(<u32>load<u16>(source + i * step) << 16)
    else value = halfToFloat(load<u16>(source + i * step))
    store<f32>(y + i * 4, value)
  }
}

function integerRow(kind: i32, panel: usize, row: usize, k: i32, rowScale: f32, y: usize): void {
  const half = scalePosition(row)
  for (let g = 0; g < k / GROUP; g++) {
    const block = panel + <usize>g * blockBytes(kind)
    const lane = block + row * 4
    if (kind == Kind.Int8 || kind == Kind.Int8Channel) {
      const scale = kind == Kind.Int8 ? halfToFloat(load<u16>(block + 512 + half)) : rowScale
      for (let i: usize = 0; i < <usize>GROUP; i++) {
        store<f32>(y + i * 4, <f32>load<i8>(lane + (i >> 2) * 64 + (i & 3)) * scale)
      }
    } else {
      const scale = halfToFloat(load<u16>(block + 256 + half))
      const offset: f32 = kind == Kind.Int4 ? -8 : 0
      const minimum: f32 = kind == Kind.Int4 ? 0 : halfToFloat(load<u16>(block + 288 + half))
      for (let i: usize = 0; i < <usize>GROUP; i++) {
        const byte = <u32>load<u8>(lane + (i >> 3) * 64 + (i & 3))
        const nibble = i & 4 ? byte >> 4 : byte & 15
        const value = (<f32>nibble + offset) * scale
        store<f32>(y + i * 4, kind == Kind.Int4 ? value : value + minimum)
      }
    }
    y += GROUP * 4
  }
}
