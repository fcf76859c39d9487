// Panels of float weights: 16 rows, of each column their values side by side. f32 and f16 keep the order of rows; in
// bf16 rows i and i + 8 share 32 bits, so that a shift and a mask make floats of them.
#pragma once
#include "gemm.h"

namespace cria::CRIA_ISA {

static constexpr int64_t valueBytes(int64_t kind) { return kind == F32 ? 4 : 2; }

/** Where row r of a panel lies among the 16 values of a column. */
static inline int64_t placeInColumn(int64_t kind, int64_t r) { return kind == BF16 ? r % 8 * 2 + r / 8 : r; }

static inline float valueAt(int64_t kind, const uint8_t* values, int64_t i) {
  if (kind == F32) return reinterpret_cast<const float*>(values)[i];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(values)[i];
  return kind == F16 ? halfToFloat(bits) : bfloatToFloat(bits);
}

/** Sets the rows of a panel from `first` on to zero. */
template <class Value>
static inline void clearRows(Value* panel, int64_t columns, int64_t first, int64_t kind) {
  for (int64_t k = 0; k < columns; k++) {
    for (int64_t r = first; r < PANEL; r++) panel[k * PANEL + placeInColumn(kind, r)] = 0;
  }
}

/** The 16 values of a column as floats, in the order of storeColumn. */
template <int64_t KIND>
static inline void loadColumn(const uint8_t* column, Vector values[PANEL / LANES]) {
  constexpr int VECTORS = PANEL / LANES;
  if constexpr (KIND == F32) {
    for (int v = 0; v < VECTORS; v++) values[v] = load(reinterpret_cast<const float*>(column) + v * LANES);
  } else if constexpr (KIND == F16) {
    for (int v = 0; v < VECTORS; v++) values[v] = loadHalves(reinterpret_cast<const uint16_t*>(column) + v * LANES);
  } else {
#if defined(__AVX512F__)
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(column));
    values[0] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(pairs), 16));
#elif defined(__AVX2__)
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(column));
    values[0] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    values[1] = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(int32_t(0xffff0000))));
#elif defined(__ARM_NEON)
    for (int half = 0; half < 2; half++) {
      const uint32x4_t pairs = vld1q_u32(reinterpret_cast<const uint32_t*>(column) + half * 4);
      values[half] = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
      values[half + 2] = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000)));
    }
#else
    for (int r = 0; r < PANEL; r++) values[r] = valueAt(BF16, column, placeInColumn(BF16, r));
#endif
  }
}

/** Stores what was computed on columns, in the order of the rows. */
template <int64_t KIND>
static inline void storeColumn(float* target, const Vector values[PANEL / LANES]) {
#if defined(__AVX512F__)
  if constexpr (KIND == BF16) {
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return store(target, _mm512_permutexvar_ps(order, values[0]));
  }
#endif
  for (int v = 0; v < PANEL / LANES; v++) store(target + v * LANES, values[v]);
}

template <int64_t KIND>
static inline void unpackColumns(const uint8_t* source, int64_t columns, float* target) {
  for (int64_t k = 0; k < columns; k++) {
    Vector values[PANEL / LANES];
    loadColumn<KIND>(source + k * PANEL * valueBytes(KIND), values);
    storeColumn<KIND>(target + k * PANEL, values);
  }
}

#if defined(__AVX2__)
/** target[i * 16 + r] = x[r * stride + i] for i, r < 8. */
static inline void transposeEight(const float* x, int64_t stride, float* target) {
  __m256 rows[8], pairs[8];
  for (int r = 0; r < 8; r++) rows[r] = _mm256_loadu_ps(x + r * stride);
  for (int r = 0; r < 8; r += 2) {
    pairs[r] = _mm256_unpacklo_ps(rows[r], rows[r + 1]);
    pairs[r + 1] = _mm256_unpackhi_ps(rows[r], rows[r + 1]);
  }
  for (int half = 0; half < 8; half += 4) {
    rows[half] = _mm256_shuffle_ps(pairs[half], pairs[half + 2], 0x44);
    rows[half + 1] = _mm256_shuffle_ps(pairs[half], pairs[half + 2], 0xee);
    rows[half + 2] = _mm256_shuffle_ps(pairs[half + 1], pairs[half + 3], 0x44);
    rows[half + 3] = _mm256_shuffle_ps(pairs[half + 1], pairs[half + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(target + i * PANEL, _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x20));
    _mm256_storeu_ps(target + (i + 4) * PANEL, _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x31));
  }
}
#endif

/** A panel from 16 rows, or back: target[k * 16 + r] = x[r * stride + k] for r < 16, k < columns. */
static inline void transposeRows(const float* x, int64_t stride, int64_t columns, float* target) {
  int64_t k = 0;
#if defined(__AVX2__)
  for (; k + 8 <= columns; k += 8) {
    transposeEight(x + k, stride, target + k * PANEL);
    transposeEight(x + 8 * stride + k, stride, target + k * PANEL + 8);
  }
#endif
  for (; k < columns; k++) {
    for (int64_t r = 0; r < PANEL; r++) target[k * PANEL + r] = x[r * stride + k];
  }
}

}  // namespace cria::CRIA_ISA
