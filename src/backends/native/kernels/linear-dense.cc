// linear with f32, f16 and bf16 weights: the rows stay as they are in the file, a unit is a row.
#include <string.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

static inline int64_t valueBytes(int64_t kind) { return kind == F32 ? 4 : 2; }

int64_t packedBytesDense(int64_t kind, int64_t rows, int64_t columns) { return rows * columns * valueBytes(kind); }
int64_t packUnitsDense(int64_t, int64_t, int64_t count) { return count; }
int64_t formBytesDense(int64_t, int64_t) { return 0; }
int64_t formUnitsDense(int64_t) { return 0; }
int64_t linearUnitsDense(int64_t, int64_t, int64_t rows, int64_t) { return rows; }

static inline float valueAt(int64_t kind, const uint8_t* row, int64_t k) {
  if (kind == F32) return reinterpret_cast<const float*>(row)[k];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(row)[k];
  return kind == F16 ? halfToFloat(bits) : bfloatToFloat(bits);
}

void decodeRowDense(int64_t kind, const uint8_t* weight, int64_t, int64_t columns, int64_t row, float* out) {
  const uint8_t* source = weight + row * columns * valueBytes(kind);
  for (int64_t k = 0; k < columns; k++) out[k] = valueAt(kind, source, k);
}

/** Operands: source, packed weight, first row, count, rows, columns, kind. Unit: see packUnitsDense. */
void PackDense(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t bytes = int64_t(args[5]) * valueBytes(int64_t(args[6]));
  const uint8_t* source = pointer<uint8_t>(args[0]);
  uint8_t* target = pointer<uint8_t>(args[1]) + int64_t(args[2]) * bytes;
  if (end > begin) memcpy(target + begin * bytes, source + begin * bytes, size_t((end - begin) * bytes));
}

/** Operands: x, form, tokens, columns. Recorded only where formBytesDense is not 0. */
void FormDense(const double*, int64_t, int64_t, Thread&) {}

/** Operands: x or its form, packed weight, out, tokens, rows, columns, kind. Unit: see linearUnitsDense. */
void LinearDense(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* x = pointer<float>(args[0]);
  const uint8_t* weight = pointer<uint8_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  const int64_t kind = int64_t(args[6]);
  for (int64_t n = begin; n < end; n++) {
    const uint8_t* row = weight + n * columns * valueBytes(kind);
    for (int64_t t = 0; t < tokens; t++) {
      float lanes[16] = {};
      int64_t k = 0;
      for (; k + 16 <= columns; k += 16)
        for (int64_t j = 0; j < 16; j++) lanes[j] += x[t * columns + k + j] * valueAt(kind, row, k + j);
      for (int64_t j = 0; k < columns; k++, j++) lanes[j] += x[t * columns + k] * valueAt(kind, row, k);
      for (int64_t step = 8; step > 0; step >>= 1)
        for (int64_t j = 0; j < step; j++) lanes[j] += lanes[j + step];
      out[t * rows + n] = lanes[0];
    }
  }
}

}  // namespace cria::CRIA_ISA
