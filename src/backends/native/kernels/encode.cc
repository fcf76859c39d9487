// Plain values into the integer kinds, while a model is loaded: the same bits as weights/encode.ts gives, which says how large
// the errors are.
#include <math.h>
#include <string.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

static inline float valueAt(int64_t kind, const uint8_t* row, int64_t k) {
  uint16_t half;
  float value;
  if (kind == F32) {
    memcpy(&value, row + 4 * k, 4);
    return value;
  }
  memcpy(&half, row + 2 * k, 2);
  return kind == F16 ? halfToFloat(half) : bfloatToFloat(half);
}

/** 1 / d, or 0 where that is not finite. */
static inline float inverse(double d) {
  const float result = float(1.0 / d);
  return result - result == 0 ? result : 0.0f;
}

/** False for what a half cannot hold. */
static inline bool putHalf(double value, uint8_t* at) {
  const uint16_t bits = floatToHalf(float(value));
  memcpy(at, &bits, 2);
  return (bits & 0x7c00) != 0x7c00;
}

static inline int8_t roundAway(float scaled) { return int8_t(int32_t(scaled < 0 ? scaled - 0.5 : scaled + 0.5)); }

struct Extent {
  /** The value that is largest without its sign, and without its sign. */
  float extreme = 0, magnitude = 0;
  float least = 0, most = 0;
  bool isNumber = true;
};

static inline Extent extentOf(const float* x, int64_t count) {
  Extent extent;
  extent.least = extent.most = x[0];
  for (int64_t i = 0; i < count; i++) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    if (magnitude > extent.magnitude) {
      extent.magnitude = magnitude;
      extent.extreme = x[i];
    }
    extent.least = x[i] < extent.least ? x[i] : extent.least;
    extent.most = x[i] > extent.most ? x[i] : extent.most;
    extent.isNumber = extent.isNumber && x[i] == x[i];
  }
  return extent;
}

static inline bool encodeInt8(const float* x, uint8_t* at) {
  const Extent extent = extentOf(x, groupSize);
  const float d = extent.magnitude / 127.0f, id = inverse(d);
  const bool good = extent.isNumber && putHalf(d, at);
  if (!good) return false;
  for (int64_t i = 0; i < groupSize; i++) at[2 + i] = uint8_t(roundAway(x[i] * id));
  return true;
}

static inline bool encodeInt4(const float* x, uint8_t* at) {
  const Extent extent = extentOf(x, groupSize);
  const double d = double(extent.extreme) / -8.0;
  const float id = inverse(d);
  if (!extent.isNumber || !putHalf(d, at)) return false;
  for (int64_t i = 0; i < 16; i++) {
    const int32_t low = int32_t(x[i] * id + 8.5f), high = int32_t(x[i + 16] * id + 8.5f);
    at[2 + i] = uint8_t(smaller(low, 15) | (smaller(high, 15) << 4));
  }
  return true;
}

static inline bool encodeInt4Min(const float* x, uint8_t* at) {
  const Extent extent = extentOf(x, groupSize);
  const float d = (extent.most - extent.least) / 15.0f, id = inverse(d);
  if (!extent.isNumber || !putHalf(d, at) || !putHalf(extent.least, at + 2)) return false;
  for (int64_t i = 0; i < 16; i++) {
    const int32_t low = int32_t((x[i] - extent.least) * id + 0.5f);
    const int32_t high = int32_t((x[i + 16] - extent.least) * id + 0.5f);
    at[4 + i] = uint8_t(smaller(low, 15) | (smaller(high, 15) << 4));
  }
  return true;
}

static inline bool encodeChannel(int64_t from, const uint8_t* source, int64_t columns, uint8_t* at) {
  float magnitude = 0;
  bool isNumber = true;
  for (int64_t k = 0; k < columns; k++) {
    const float value = fabsf(valueAt(from, source, k));
    magnitude = value > magnitude ? value : magnitude;
    isNumber = isNumber && value == value;
  }
  if (!isNumber || magnitude - magnitude != 0) return false;
  const float d = magnitude / 127.0f, id = inverse(d), kept = id == 0 ? 0.0f : d;
  memcpy(at, &kept, 4);
  for (int64_t k = 0; k < columns; k++) at[4 + k] = uint8_t(roundAway(valueAt(from, source, k) * id));
  return true;
}

/**
 * Operands: source, target, columns, kind of the source (a plain one), kind of the target (an integer one), failed (int32):
 * set to 1 where a value cannot be kept. Both are rows in the layout of weights/kind.ts. Unit: a row.
 */
void EncodeRows(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t columns = int64_t(args[2]), from = int64_t(args[3]), to = int64_t(args[4]);
  const int64_t sourceBytes = columns * (from == F32 ? 4 : 2);
  const int64_t blockBytes = to == Int8 ? 34 : to == Int4 ? 18 : 20;
  const int64_t targetBytes = to == Int8Channel ? columns + 4 : columns / groupSize * blockBytes;
  for (int64_t row = begin; row < end; row++) {
    const uint8_t* source = pointer<uint8_t>(args[0]) + row * sourceBytes;
    uint8_t* target = pointer<uint8_t>(args[1]) + row * targetBytes;
    bool good = true;
    if (to == Int8Channel) {
      good = encodeChannel(from, source, columns, target);
    } else {
      for (int64_t group = 0; group < columns / groupSize; group++) {
        float x[groupSize];
        for (int64_t i = 0; i < groupSize; i++) x[i] = valueAt(from, source, group * groupSize + i);
        uint8_t* at = target + group * blockBytes;
        good = (to == Int8 ? encodeInt8(x, at) : to == Int4 ? encodeInt4(x, at) : encodeInt4Min(x, at)) && good;
      }
    }
    // Several threads may say so at once.
    if (!good) __atomic_store_n(pointer<int32_t>(args[5]), 1, __ATOMIC_RELAXED);
  }
}

}  // namespace cria::CRIA_ISA
