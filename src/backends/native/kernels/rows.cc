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

}  // namespace cria::CRIA_ISA
