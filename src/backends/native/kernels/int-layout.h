// Where the numbers of an integer weight and of 8-bit activations lie. One layout for all instruction sets.
//
// Weights are cut in panels of 16 rows, a panel in blocks of 32 columns (a group) that follow one another:
//   int4          4 x 64 bytes: lane r of part j is word j of row r's 16 bytes in the file, so its low nibbles are
//                 columns 4j..4j+3 and its high ones 16+4j..16+4j+3; then 16 halves of scale
//   int4-min      the same, then 16 halves of minimum
//   int8          8 x 64 bytes: lane r of part j is columns 4j..4j+3 of row r; then 16 halves of scale
//   int8-channel  the same without scales; 16 floats of scale after the panel's last block
// Rows that only fill up the last panel are zero.
//
// A token's activations are a record: K signed bytes, for each group the int32 `-8 * (sum of its bytes)`, a float scale.
#pragma once

#include "kernels.h"

namespace cria::CRIA_ISA {

constexpr int64_t panelRows = 16;
/** Bytes of a part: four columns (nibbles: eight) of all rows of a panel. */
constexpr int64_t partBytes = 64;

/** Whether four bits hold a weight. */
constexpr bool hasNibbles(int64_t kind) { return kind == Int4 || kind == Int4Min; }

/** Bytes of a block without its scales. */
constexpr int64_t valueBytes(int64_t kind) { return (hasNibbles(kind) ? 4 : 8) * partBytes; }

constexpr int64_t blockBytes(int64_t kind) {
  return valueBytes(kind) + (kind == Int8Channel ? 0 : kind == Int4Min ? 64 : 32);
}

constexpr int64_t panelBytes(int64_t kind, int64_t columns) {
  return columns / groupSize * blockBytes(kind) + (kind == Int8Channel ? panelRows * 4 : 0);
}

/** An odd number of cache lines, so that neighbouring records do not fall on the same sets. */
constexpr int64_t recordBytes(int64_t columns) { return ((columns + columns / 8 + 4 + 63) / 64 | 1) * 64; }

struct Record {
  const int8_t* values;
  const int32_t* offsets;
  float scale;
};

static inline Record recordAt(const uint8_t* records, int64_t token, int64_t columns) {
  const uint8_t* start = records + token * recordBytes(columns);
  const int32_t* offsets = reinterpret_cast<const int32_t*>(start + columns);
  return {reinterpret_cast<const int8_t*>(start), offsets,
          *reinterpret_cast<const float*>(offsets + columns / groupSize)};
}

}  // namespace cria::CRIA_ISA
