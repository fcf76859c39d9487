// Keys and values in their pages. Of every layer a page holds, for each kv head, first
//   K: [slots / 8][E][8 slots], then V: [E / 8][slots][8 of E];
// slots and E rounded up to a multiple of 8; eight halves lie in pairs (see halfPosition).
import { address, arg } from "./command"
import { halfPosition } from "./layout"
import { floatToHalf } from "./math"

@inline export function eights(x: i32): i32 {
  return (x + 7) & ~7
}

/** Bytes of the keys (or the values) of one kv head in a page. */
@inline export function headBytes(pageTokens: i32, width: i32, element: i32): usize {
  return <usize>(eights(pageTokens) * eights(width) * element)
}

/**
 * Operands: key, value, rows, tokens, pages of the layer, kv heads, head width, page tokens, bytes of an element,
 * bytes of a page. `rows`: for each token the address of its page table and its slot. Unit: a token.
 */
export function storeUnit(command: usize, token: i32): void {
  const row = address(command, 2) + <usize>token * 8
  const table: usize = load<u32>(row)
  const slot = load<i32>(row, 4)
  const heads = arg(command, 5)
  const width = arg(command, 6)
  const pageTokens = arg(command, 7)
  const element = arg(command, 8)
  const page = <usize>load<i32>(table + <usize>(slot / pageTokens) * 4)
  const inPage = <usize>(slot % pageTokens)
  const bytes = headBytes(pageTokens, width, element)
  let target = address(command, 4) + page * <usize>arg(command, 9)
  let key = address(command, 0) + <usize>(token * heads * width) * 4
  let value = address(command, 1) + <usize>(token * heads * width) * 4
  const line = <usize>eights(width) * 8 * element
  for (let head = 0; head < heads; head++) {
    const keys = target + (inPage >> 3) * line
    const values = target + bytes
    for (let e: usize = 0; e < <usize>width; e++) {
      const block = ((e >> 3) * <usize>eights(pageTokens) + inPage) * 8
      if (element == 2) {
        store<u16>(keys + e * 16 + halfPosition(inPage & 7), floatToHalf(load<f32>(key)))
        store<u16>(values + block * 2 + halfPosition(e & 7), floatToHalf(load<f32>(value)))
      } else {
        store<f32>(keys + e * 32 + (inPage & 7) * 4, load<f32>(key))
        store<f32>(values + (block + (e & 7)) * 4, load<f32>(value))
      }
      key += 4
      value += 4
    }
    // Columns that only fill up to eight are multiplied with zeros: they must be numbers.
    for (let e: usize = width; e < <usize>eights(width); e++) {
      if (element == 2) store<u16>(keys + e * 16 + halfPosition(inPage & 7), 0)
      else store<f32>(keys + e * 32 + (inPage & 7) * 4, 0)
    }
    target += 2 * bytes
  }
}

/** Operands: from, to, bytes. One unit. */
export function copyPageUnit(command: usize): void {
  memory.copy(address(command, 1), address(command, 0), address(command, 2))
}
