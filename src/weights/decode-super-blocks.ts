// Decoding of ggml's super-blocks of 256 values: 8 or 16 small groups whose scales (and minima) are themselves
// quantized against one f16 scale a block. One function a type; decode.ts chooses.
import { halves } from "./half.js"

/** 6-bit scale of group `j` of 8, from the 12 bytes at `at` that Q4_K and Q5_K pack scales and minima into. */
export const packedScale = (bytes: Uint8Array, at: number, j: number): number =>
  j < 4 ? bytes[at + j] & 63 : (bytes[at + j + 4] & 15) | ((bytes[at + j - 4] >> 6) << 4)

/** 6-bit minimum of group `j` of 8, from the same 12 bytes. */
export const packedMinimum = (bytes: Uint8Array, at: number, j: number): number =>
  j < 4 ? bytes[at + j + 4] & 63 : (bytes[at + j + 4] >> 4) | ((bytes[at + j] >> 6) << 4)

/** 16 groups of 16: `d * scale * q - dmin * minimum`, q of 2 bits, scale and minimum of 4 bits. */
export function decodeQ2K(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 84) {
    const d = half[bytes[at + 80] | (bytes[at + 81] << 8)]
    const dmin = half[bytes[at + 82] | (bytes[at + 83] << 8)]
    for (let group = 0; group < 16; group++) {
      const packed = bytes[at + group]
      const scale = d * (packed & 15)
      const minimum = dmin * (packed >> 4)
      const quants = at + 16 + (group >> 3) * 32 + (group & 1) * 16
      const shift = group & 6
      for (let l = 0; l < 16; l++, y++) into[y] = scale * ((bytes[quants + l] >> shift) & 3) - minimum
    }
  }
}

/** 16 groups of 16: `d * (scale - 32) * q`, q of 3 bits in -4..3 (its top bit in a mask), scale of 6 bits. */
export function decodeQ3K(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 110) {
    const d = half[bytes[at + 108] | (bytes[at + 109] << 8)]
    const scales = at + 96
    for (let group = 0; group < 16; group++) {
      const low = group < 8 ? bytes[scales + group] & 15 : bytes[scales + group - 8] >> 4
      const high = (bytes[scales + 8 + (group & 3)] >> (2 * (group >> 2))) & 3
      const scale = d * ((low | (high << 4)) - 32)
      const mask = at + (group & 1) * 16
      const quants = at + 32 + (group >> 3) * 32 + (group & 1) * 16
      const shift = group & 6
      const bit = group >> 1
      for (let l = 0; l < 16; l++, y++)
        into[y] = scale * (((bytes[quants + l] >> shift) & 3) - 4 + (((bytes[mask + l] >> bit) & 1) << 2))
    }
  }
}

/** 8 groups of 32: `d * scale * q - dmin * minimum`, q of 4 bits, scale and minimum of 6 bits. */
export function decodeQ4K(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 144) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    const dmin = half[bytes[at + 2] | (bytes[at + 3] << 8)]
    for (let pair = 0; pair < 4; pair++, y += 64) {
      const scale1 = d * packedScale(bytes, at + 4, 2 * pair)
      const scale2 = d * packedScale(bytes, at + 4, 2 * pair + 1)
      const minimum1 = dmin * packedMinimum(bytes, at + 4, 2 * pair)
      const minimum2 = dmin * packedMinimum(bytes, at + 4, 2 * pair + 1)
      const quants = at + 16 + 32 * pair
      for (let l = 0; l < 32; l++) {
        const both = bytes[quants + l]
        into[y + l] = scale1 * (both & 15) - minimum1
        into[y + l + 32] = scale2 * (both >> 4) - minimum2
      }
    }
  }
}

/** As Q4_K with a fifth bit of q in a mask. */
export function decodeQ5K(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 176) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    const dmin = half[bytes[at + 2] | (bytes[at + 3] << 8)]
    for (let pair = 0; pair < 4; pair++, y += 64) {
      const scale1 = d * packedScale(bytes, at + 4, 2 * pair)
      const scale2 = d * packedScale(bytes, at + 4, 2 * pair + 1)
      const minimum1 = dmin * packedMinimum(bytes, at + 4, 2 * pair)
      const minimum2 = dmin * packedMinimum(bytes, at + 4, 2 * pair + 1)
      const quants = at + 48 + 32 * pair
      for (let l = 0; l < 32; l++) {
        const both = bytes[quants + l]
        const fifth = bytes[at + 16 + l] >> (2 * pair)
        into[y + l] = scale1 * ((both & 15) | ((fifth & 1) << 4)) - minimum1
        into[y + l + 32] = scale2 * ((both >> 4) | ((fifth & 2) << 3)) - minimum2
      }
    }
  }
}

/** 16 groups of 16: `d * scale * (q - 32)`, q of 6 bits, scale a signed byte. */
export function decodeQ6K(bytes: Uint8Array, into: Float32Array, blocks: number): void {
  const half = halves()
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 210) {
    const d = half[bytes[at + 208] | (bytes[at + 209] << 8)]
    for (let part = 0; part < 2; part++, y += 128) {
      const lowBits = at + 64 * part
      const highBits = at + 128 + 32 * part
      const scales = at + 192 + 8 * part
      for (let l = 0; l < 32; l++) {
        const group = scales + (l >> 4)
        const a = bytes[lowBits + l]
        const b = bytes[lowBits + l + 32]
        const h = bytes[highBits + l]
        into[y + l] = d * signed[group] * (((a & 15) | ((h & 3) << 4)) - 32)
        into[y + l + 32] = d * signed[group + 2] * (((b & 15) | (((h >> 2) & 3) << 4)) - 32)
        into[y + l + 64] = d * signed[group + 4] * (((a >> 4) | (((h >> 4) & 3) << 4)) - 32)
        into[y + l + 96] = d * signed[group + 6] * (((b >> 4) | ((h >> 6) << 4)) - 32)
      }
    }
  }
}

/** Scale factor of group `j` of 8 in an IQ4_XS block at `at`: 6 bits, minus 32. */
export const iq4xsScale = (bytes: Uint8Array, at: number, j: number): number =>
  (((bytes[at + 4 + (j >> 1)] >> (4 * (j & 1))) & 15) |
    ((((bytes[at + 2] | (bytes[at + 3] << 8)) >> (2 * j)) & 3) << 4)) -
  32

/** 8 groups of 32: `d * (scale - 32) * levels[q]`, q of 4 bits, scale of 6 bits. */
export function decodeIQ4XS(bytes: Uint8Array, into: Float32Array, blocks: number, levels: Int8Array): void {
  const half = halves()
  for (let block = 0, at = 0, y = 0; block < blocks; block++, at += 136) {
    const d = half[bytes[at] | (bytes[at + 1] << 8)]
    for (let group = 0; group < 8; group++, y += 32) {
      const scale = d * iq4xsScale(bytes, at, group)
      const quants = at + 8 + 16 * group
      for (let j = 0; j < 16; j++) {
        const pair = bytes[quants + j]
        into[y + j] = scale * levels[pair & 15]
        into[y + j + 16] = scale * levels[pair >> 4]
      }
    }
  }
}
