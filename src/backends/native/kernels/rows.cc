// Rows from here to there.
#include <string.h>

#include "kernels.h"

namespace cria::CRIA_ISA {

/** Operands: x, indices (int32), out, columns. Unit: a row of the result. */
void CopyRows(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* x = pointer<float>(args[0]);
  const int32_t* indices = pointer<int32_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t columns = int64_t(args[3]);
  for (int64_t r = begin; r < end; r++) memcpy(out + r * columns, x + indices[r] * columns, size_t(columns) * 4);
}

/**
 * Operands: dy, indices (int32), out, rows of dy, rows of out, columns, columns of a unit. Unit: a stretch of columns,
 * set to zero and then added to in the order of dy.
 */
void RowsGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const int32_t* indices = pointer<int32_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t count = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  const int64_t width = int64_t(args[6]);
  const int64_t first = begin * width, last = smaller(end * width, columns);
  for (int64_t r = 0; r < rows; r++) memset(out + r * columns + first, 0, size_t(last - first) * 4);
  for (int64_t r = 0; r < count; r++) {
    float* row = out + indices[r] * columns;
    for (int64_t d = first; d < last; d++) row[d] += dy[r * columns + d];
  }
}

/**
 * Operands: address, bytes, sums (u64, one a unit), bytes of a unit (a multiple of 64). Unit: a stretch of bytes. A change of
 * any 8 bytes changes the sum. It is no protection against someone who means to deceive.
 */
void Checksum(const double* args, int64_t begin, int64_t end, Thread&) {
  const uint8_t* source = pointer<uint8_t>(args[0]);
  uint64_t* sums = pointer<uint64_t>(args[2]);
  const int64_t bytes = int64_t(args[1]), width = int64_t(args[3]);
  const uint64_t factor = 0x9e3779b97f4a7c15u;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t last = smaller((unit + 1) * width, bytes);
    // Every step of a lane can be undone, so two different stretches of one word never meet again.
    uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int64_t at = unit * width;
    for (; at + 64 <= last; at += 64) {
      uint64_t words[8];
      memcpy(words, source + at, 64);
      for (int64_t j = 0; j < 8; j++) lanes[j] = (lanes[j] ^ words[j]) * factor;
    }
    if (at < last) {
      uint64_t words[8] = {};
      memcpy(words, source + at, size_t(last - at));
      for (int64_t j = 0; j < 8; j++) lanes[j] = (lanes[j] ^ words[j]) * factor;
    }
    uint64_t sum = uint64_t(last - unit * width);
    for (int64_t j = 0; j < 8; j++) sum = ((sum ^ lanes[j]) * factor) ^ (sum >> 29);
    sums[unit] = sum;
  }
}

}  // namespace cria::CRIA_ISA
