// Vector constants of hot loops, kept in memory: the compilers copy a literal to each of its uses, and the engines
// build it anew there. A value loaded before the loop stays in a register; loaded as a splat,
// engines that join vectors in pairs can widen it.
import { CELL_CONSTANTS } from "../opcodes"

/** Writes the constants; every thread writes the same. */
export function setConstants(): void {
  v128.store(CELL_CONSTANTS, i8x16.splat(15))
  v128.store(CELL_CONSTANTS, i16x8.splat(15), 16)
  v128.store(CELL_CONSTANTS, i32x4.splat(0x8fffe000), 32)
  v128.store(CELL_CONSTANTS, i32x4.splat(0xffff0000), 48)
  v128.store(CELL_CONSTANTS, i16x8.splat(1), 64)
}

/** 15 in every byte. */
@inline export function byteNibbles(): v128 {
  return v128.load32_splat(CELL_CONSTANTS)
}

/** 15 in every 16-bit lane. */
@inline export function pairNibbles(): v128 {
  return v128.load32_splat(CELL_CONSTANTS, 16)
}

/** For `lowHalves` and `highHalves`: sign, exponent and mantissa of a half after the shift. */
@inline export function halfMask(): v128 {
  return v128.load32_splat(CELL_CONSTANTS, 32)
}

/** The upper half of every lane. */
@inline export function upperMask(): v128 {
  return v128.load32_splat(CELL_CONSTANTS, 48)
}

/** 1 in every 16-bit lane: a product with it adds neighbours up. */
@inline export function pairOnes(): v128 {
  return v128.load32_splat(CELL_CONSTANTS, 64)
}
