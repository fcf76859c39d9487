// embedding and its gradient.
#include "kernels.h"

namespace cria::CRIA_ISA {

/** Operands: table, ids (int32), out, rows, columns, kind. Unit: a token. */
void Embedding(const double* args, int64_t begin, int64_t end, Thread&) {
  const uint8_t* table = pointer<uint8_t>(args[0]);
  const int32_t* ids = pointer<int32_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t rows = int64_t(args[3]), columns = int64_t(args[4]), kind = int64_t(args[5]);
  for (int64_t t = begin; t < end; t++) {
    if (isInteger(kind)) decodeRowInt(kind, table, rows, columns, ids[t], out + t * columns);
    else decodeRowDense(kind, table, rows, columns, ids[t], out + t * columns);
  }
}

/** Operands: dy, ids (int32), into, tokens, columns, columns of a unit. Unit: a stretch of columns, for all tokens in order. */
void EmbeddingGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const int32_t* ids = pointer<int32_t>(args[1]);
  float* into = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), columns = int64_t(args[4]), width = int64_t(args[5]);
  const int64_t first = begin * width, last = smaller(end * width, columns);
  for (int64_t t = 0; t < tokens; t++) {
    float* row = into + ids[t] * columns;
    for (int64_t d = first; d < last; d++) row[d] += dy[t * columns + d];
  }
}

}  // namespace cria::CRIA_ISA
