// Activations as 8-bit records, for every kernel that makes some.
#pragma once

#include "int-layout.h"
#include "arithmetic.h"

namespace cria::CRIA_ISA {

/** The largest |x|; NaN where there is one. */
static inline float largestMagnitude(const float* x, int64_t columns) {
  // As integers, the bits of numbers without a sign are in the order of the numbers, and NaN is above infinity.
  int32_t largest = 0;
  for (int64_t k = 0; k < columns; k++) {
    largest = larger(largest, int32_t(bitsOfFloat(x[k]) & 0x7fffffff));
  }
  return floatOfBits(uint32_t(largest));
}

/**
 * A row as `scale * q`: `scale = max|x| / 127`, `q = round(x * (127 / max|x|))`, ties to even, every step rounded to
 * float32 (`linear` in ops/ops.ts). A row that is not finite gets a scale that is not.
 */
static inline void quantizeRow(const float* x, int64_t columns, uint8_t* record) {
  const float largest = largestMagnitude(x, columns);
  float inverse = 127.0f / largest;
  // Zero, not a number, or so small that the quotient overflows: nothing is left of the row.
  if (!(inverse < __builtin_inff())) inverse = 0;
  int8_t* values = reinterpret_cast<int8_t*>(record);
  int32_t* offsets = reinterpret_cast<int32_t*>(record + columns);
  for (int64_t k = 0; k < columns; k++) {
    // The sum's low bits are the rounded number: see roundToEven.
    values[k] = int8_t(bitsOfFloat(x[k] * inverse + 12582912.0f));
  }
  for (int64_t g = 0; g < columns / groupSize; g++) {
    int32_t sum = 0;
    for (int64_t i = 0; i < groupSize; i++) sum += values[g * groupSize + i];
    offsets[g] = -8 * sum;
  }
  *reinterpret_cast<float*>(offsets + columns / groupSize) = largest / 127.0f;
}

}  // namespace cria::CRIA_ISA
