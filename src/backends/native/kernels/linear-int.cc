// linear with integer weights: the rows stay as they are in the file (weights/kind.ts), a unit is a row.
#include <string.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

static inline int64_t rowBytes(int64_t kind, int64_t columns) {
  const int64_t groups = columns / groupSize;
  switch (kind) {
    case Int8: return groups * 34;
    case Int8Channel: return columns + 4;
    case Int4: return groups * 18;
    default: return groups * 20;
  }
}

/** The form of a token's activations: their scale (f32) at 0, the quantized values from 64 on. */
static inline int64_t formStride(int64_t columns) { return 64 + ceilingDivide(columns, 64) * 64; }

int64_t packedBytesInt(int64_t kind, int64_t rows, int64_t columns) { return rows * rowBytes(kind, columns); }
int64_t packUnitsInt(int64_t, int64_t, int64_t count) { return count; }
int64_t formBytesInt(int64_t tokens, int64_t columns) { return tokens * formStride(columns); }
int64_t formUnitsInt(int64_t tokens) { return tokens; }
int64_t linearUnitsInt(int64_t, int64_t, int64_t rows, int64_t) { return rows; }

/**
 * A group's values without their scale; returns the scale and the minimum. Kinds that have none get -0, which leaves
 * what it is added to as it is, its sign included.
 */
struct GroupScale {
  float scale, minimum;
};
static inline GroupScale unpackGroup(int64_t kind, const uint8_t* row, int64_t group, int8_t* values) {
  uint16_t half[2];
  if (kind == Int8Channel) {
    float scale;
    memcpy(&scale, row, 4);
    memcpy(values, row + 4 + group * groupSize, groupSize);
    return {scale, -0.0f};
  }
  if (kind == Int8) {
    const uint8_t* block = row + group * 34;
    memcpy(half, block, 2);
    memcpy(values, block + 2, groupSize);
    return {halfToFloat(half[0]), -0.0f};
  }
  const int64_t header = kind == Int4Min ? 4 : 2;
  const int8_t offset = kind == Int4Min ? 0 : 8;
  const uint8_t* block = row + group * (header + 16);
  memcpy(half, block, size_t(header));
  for (int64_t i = 0; i < 16; i++) {
    values[i] = int8_t((block[header + i] & 15) - offset);
    values[i + 16] = int8_t((block[header + i] >> 4) - offset);
  }
  return {halfToFloat(half[0]), kind == Int4Min ? halfToFloat(half[1]) : -0.0f};
}

void decodeRowInt(int64_t kind, const uint8_t* weight, int64_t, int64_t columns, int64_t row, float* out) {
  const uint8_t* source = weight + row * rowBytes(kind, columns);
  for (int64_t g = 0; g < columns / groupSize; g++) {
    int8_t values[groupSize];
    const GroupScale s = unpackGroup(kind, source, g, values);
    for (int64_t i = 0; i < groupSize; i++) out[g * groupSize + i] = float(values[i]) * s.scale + s.minimum;
  }
}

/**
 * Operands: source, packed weight, first row, count, rows, columns, kind. The source holds rows `first` to
 * `first + count` in the layout of weights/kind.ts. Unit: see packUnitsInt.
 */
void PackInt(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t bytes = rowBytes(int64_t(args[6]), int64_t(args[5]));
  const uint8_t* source = pointer<uint8_t>(args[0]);
  uint8_t* target = pointer<uint8_t>(args[1]) + int64_t(args[2]) * bytes;
  if (end > begin) memcpy(target + begin * bytes, source + begin * bytes, size_t((end - begin) * bytes));
}

/** Operands: x, form, tokens, columns. Unit: a token. */
void QuantizeRows(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t columns = int64_t(args[3]);
  for (int64_t t = begin; t < end; t++) {
    const float* x = pointer<float>(args[0]) + t * columns;
    uint8_t* form = pointer<uint8_t>(args[1]) + t * formStride(columns);
    float largest = 0;
    for (int64_t k = 0; k < columns; k++) {
      const float magnitude = x[k] < 0 ? -x[k] : x[k];
      largest = magnitude > largest ? magnitude : largest;
    }
    const float scale = largest / 127.0f;
    const float inverse = largest == 0 ? 0.0f : 127.0f / largest;
    memcpy(form, &scale, 4);
    int8_t* q = reinterpret_cast<int8_t*>(form + 64);
    for (int64_t k = 0; k < columns; k++) q[k] = int8_t(int32_t(roundToEven(x[k] * inverse)));
  }
}

/** Operands: form, packed weight, out, tokens, rows, columns, kind. Unit: see linearUnitsInt. */
void LinearInt(const double* args, int64_t begin, int64_t end, Thread&) {
  const uint8_t* form = pointer<uint8_t>(args[0]);
  const uint8_t* weight = pointer<uint8_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  const int64_t kind = int64_t(args[6]), stride = formStride(columns);
  for (int64_t n = begin; n < end; n++) {
    for (int64_t t = 0; t < tokens; t++) out[t * rows + n] = 0;
    for (int64_t g = 0; g < columns / groupSize; g++) {
      int8_t values[groupSize];
      const GroupScale s = unpackGroup(kind, weight + n * rowBytes(kind, columns), g, values);
      for (int64_t t = 0; t < tokens; t++) {
        const int8_t* q = reinterpret_cast<const int8_t*>(form + t * stride + 64) + g * groupSize;
        int32_t dot = 0, sum = 0;
        for (int64_t i = 0; i < groupSize; i++) {
          dot += int32_t(values[i]) * q[i];
          sum += q[i];
        }
        out[t * rows + n] += s.scale * float(dot) + s.minimum * float(sum);
      }
    }
    for (int64_t t = 0; t < tokens; t++) {
      float scale;
      memcpy(&scale, form + t * stride, 4);
      out[t * rows + n] *= scale;
    }
  }
}

}  // namespace cria::CRIA_ISA
