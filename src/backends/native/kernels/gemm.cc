// A tile of C = A B in registers, and the packing of rows into the order in which the tile reads them.
#include "gemm.h"

namespace cria::CRIA_ISA {

/**
 * C[r][c] = (onto ? C[r][c] : 0) + sum_k a[k * TILE_ROWS + r] * b[(c / 16) * panelStride + k * 16 + c % 16]
 * for ROWS rows and 16 * PANELS columns; C's rows are `stride` floats apart.
 */
template <int ROWS, int PANELS>
static inline void tile(int64_t steps, const float* a, const float* b, int64_t panelStride, float* c, int64_t stride,
                        bool onto) {
  constexpr int VECTORS = PANEL / LANES;
  Vector sums[ROWS][PANELS * VECTORS];
  if (onto) {
    for (int r = 0; r < ROWS; r++) {
      for (int v = 0; v < PANELS * VECTORS; v++) sums[r][v] = load(c + r * stride + v * LANES);
    }
  } else {
    for (int r = 0; r < ROWS; r++) {
      for (int v = 0; v < PANELS * VECTORS; v++) sums[r][v] = zero();
    }
  }
  for (int64_t k = 0; k < steps; k++) {
    Vector columns[PANELS * VECTORS];
    for (int p = 0; p < PANELS; p++) {
      for (int v = 0; v < VECTORS; v++) columns[p * VECTORS + v] = load(b + p * panelStride + v * LANES);
    }
    for (int r = 0; r < ROWS; r++) {
      const Vector value = broadcast(a[r]);
      for (int v = 0; v < PANELS * VECTORS; v++) sums[r][v] = fma(value, columns[v], sums[r][v]);
    }
    a += TILE_ROWS;
    b += PANEL;
  }
  for (int r = 0; r < ROWS; r++) {
    for (int v = 0; v < PANELS * VECTORS; v++) store(c + r * stride + v * LANES, sums[r][v]);
  }
}

/** `tile` for 1 to TILE_ROWS rows. */
template <int PANELS, int ROWS = TILE_ROWS>
static inline void tileOfRows(int64_t rows, int64_t steps, const float* a, const float* b, int64_t panelStride,
                              float* c, int64_t stride, bool onto) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tileOfRows<PANELS, ROWS - 1>(rows, steps, a, b, panelStride, c, stride, onto);
  }
  tile<ROWS, PANELS>(steps, a, b, panelStride, c, stride, onto);
}

/** The same for 1 to 16 * PANELS columns of C: where there are fewer, the tile lies aside. */
template <int PANELS>
static inline void tileOfColumns(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b,
                                 int64_t panelStride, float* c, int64_t stride, bool onto) {
  constexpr int64_t WIDTH = PANELS * PANEL;
  if (columns >= WIDTH) return tileOfRows<PANELS>(rows, steps, a, b, panelStride, c, stride, onto);
  alignas(64) float aside[TILE_ROWS * WIDTH];
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < WIDTH; i++) aside[r * WIDTH + i] = onto && i < columns ? c[r * stride + i] : 0.0f;
  }
  tileOfRows<PANELS>(rows, steps, a, b, panelStride, aside, WIDTH, onto);
  for (int64_t r = 0; r < rows; r++) memcpy(c + r * stride, aside + r * WIDTH, size_t(columns) * sizeof(float));
}

/** Bytes of a panel that are fetched beside one tile, at most: more would wait for each other. */
constexpr int64_t fetchedBeside = 2048;

/** PANELS panels of B, of which C has `columns` columns, with all packed rows of A (see packRows, packColumns). */
template <int PANELS>
static inline void multiplyPanels(int64_t rows, int64_t columns, int64_t steps, const float* a, int64_t rowPanelStride,
                                  const float* b, int64_t panelStride, float* c, int64_t stride, bool onto,
                                  NextPanels next) {
  const int64_t lines = ceilingDivide(next.bytes, ceilingDivide(rows, TILE_ROWS) * 64);
  const int64_t fetched = smaller(lines * 64, fetchedBeside);
  for (int64_t row = 0; row < rows; row += TILE_ROWS) {
    for (int64_t p = 0; p < PANELS; p++) {
      for (int64_t i = 0; i < fetched; i += 64) __builtin_prefetch(next.first + p * next.stride + i);
    }
    next.first += fetched;
    tileOfColumns<PANELS>(smaller(rows - row, TILE_ROWS), columns, steps, a, b, panelStride, c + row * stride, stride,
                          onto);
    a += rowPanelStride;
  }
}

void multiplyStretch(int64_t rows, int64_t columns, int64_t steps, const float* a, int64_t rowPanelStride, const float* b,
                     int64_t panelStride, float* c, int64_t stride, bool onto, NextPanels next) {
  while (columns > (TILE_PANELS - 1) * PANEL) {
    multiplyPanels<TILE_PANELS>(rows, columns, steps, a, rowPanelStride, b, panelStride, c, stride, onto, next);
    columns -= TILE_PANELS * PANEL;
    b += TILE_PANELS * panelStride;
    c += TILE_PANELS * PANEL;
  }
  if (columns > 0) multiplyPanels<1>(rows, columns, steps, a, rowPanelStride, b, panelStride, c, stride, onto, next);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/**
 * Columns k to k + 7 of six rows, packed. A store writes 8 floats, and the next one, 6 further, writes two of them
 * again; so what follows these 48 floats loses its first two.
 */
static inline void packSixRows(const float* x, int64_t stride, float* target) {
  const __m256 r0 = load(x), r1 = load(x + stride), r2 = load(x + 2 * stride);
  const __m256 r3 = load(x + 3 * stride), r4 = load(x + 4 * stride), r5 = load(x + 5 * stride);
  const __m256 low01 = _mm256_unpacklo_ps(r0, r1), high01 = _mm256_unpackhi_ps(r0, r1);
  const __m256 low23 = _mm256_unpacklo_ps(r2, r3), high23 = _mm256_unpackhi_ps(r2, r3);
  const __m256 low45 = _mm256_unpacklo_ps(r4, r5), high45 = _mm256_unpackhi_ps(r4, r5);
  // Of columns i and i + 4, in the lower and the upper half: rows 0 to 3, and rows 4 and 5.
  const __m256 four[4] = {_mm256_shuffle_ps(low01, low23, 0x44), _mm256_shuffle_ps(low01, low23, 0xee),
                          _mm256_shuffle_ps(high01, high23, 0x44), _mm256_shuffle_ps(high01, high23, 0xee)};
  const __m256 two[4] = {low45, _mm256_permute_ps(low45, 0xee), high45, _mm256_permute_ps(high45, 0xee)};
  for (int i = 0; i < 4; i++) store(target + i * 6, _mm256_permute2f128_ps(four[i], two[i], 0x20));
  for (int i = 0; i < 4; i++) store(target + (4 + i) * 6, _mm256_permute2f128_ps(four[i], two[i], 0x31));
}
#endif

void packRows(const float* x, int64_t stride, int64_t rows, int64_t steps, float* target) {
  for (int64_t row = 0; row < rows; row += TILE_ROWS) {
    const int64_t count = smaller(rows - row, TILE_ROWS);
    int64_t k = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    if (count == TILE_ROWS) {
      for (; k + 9 <= steps; k += 8) packSixRows(x + k, stride, target + k * TILE_ROWS);
    }
#endif
    for (; k < steps; k++) {
      for (int64_t r = 0; r < count; r++) target[k * TILE_ROWS + r] = x[r * stride + k];
    }
    x += TILE_ROWS * stride;
    target += TILE_ROWS * steps;
  }
}

}  // namespace cria::CRIA_ISA
