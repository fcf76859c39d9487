// Where a weight's numbers lie. Integer kinds: panels of 16 rows, one block per 32 columns:
//   int4      4 x 64 bytes, lane r of 64-byte part j = row r: columns 8j..8j+3 in the low nibbles of its 4 bytes,
//             8j+4..8j+7 in the high ones; then 16 halves of scale
//   int4-min  the same, then 16 halves of minimum
//   int8      8 x 64 bytes, lane r of part j = row r, columns 4j..4j+3; then 16 halves of scale
//   int8-channel  the same without scales; after all panels one float of scale for every row
// Two halves share a lane, for `lowHalves`/`highHalves`: scales and minima as `scalePosition` says.
// Dense kinds: panels of 8 rows; for each column 8 values, halves as `halfPosition` says.
import { DENSE_PANEL, GROUP, INT4_BLOCK, INT4_MIN_BLOCK, INT8_BLOCK, INT8_CHANNEL_BLOCK, INT_PANEL, Kind } from "../opcodes"

/** Bytes of a block of 16 rows x 32 columns. */
@inline export function blockBytes(kind: i32): usize {
  if (kind == Kind.Int4) return INT4_BLOCK
  if (kind == Kind.Int4Min) return INT4_MIN_BLOCK
  if (kind == Kind.Int8) return INT8_BLOCK
  return INT8_CHANNEL_BLOCK
}

@inline export function isInt(kind: i32): bool {
  return kind >= Kind.Int8
}

/** Bytes of a dense panel's column. */
@inline export function columnBytes(kind: i32): usize {
  return kind == Kind.F32 ? DENSE_PANEL * 4 : DENSE_PANEL * 2
}

/** Bytes of a panel of K columns. */
@inline export function panelBytes(kind: i32, k: i32): usize {
  return isInt(kind) ? <usize>(k / GROUP) * blockBytes(kind) : <usize>k * columnBytes(kind)
}

@inline export function panelRows(kind: i32): i32 {
  return isInt(kind) ? INT_PANEL : DENSE_PANEL
}

/** Byte offset of half `i` in rows of halves where lane j of a vector holds i and i + 4. */
@inline export function halfPosition(i: usize): usize {
  return (i >> 3) * 16 + (i & 3) * 4 + ((i >> 2) & 1) * 2
}

/**
 * Byte offset of the scale of row `i` of a panel: lane j of 8 holds rows j and j + 8, so that the low halves are the scales
 * of eight rows side by side, which an engine can take together.
 */
@inline export function scalePosition(i: usize): usize {
  return (i & 7) * 4 + (i >> 3) * 2
}

/** Where int8-channel's scales of rows start. */
@inline export function channelScales(weight: usize, rows: i32, k: i32): usize {
  return weight + <usize>((rows + INT_PANEL - 1) / INT_PANEL) * panelBytes(Kind.Int8Channel, k)
}
