// Products of float matrices: C = A B from packed panels of both, and how A and B are packed. Knows no operation of the
// model.
//
// Every output is one chain of fused multiply-adds along the contraction, ascending. Where the chain is cut into
// stretches, the sum goes on from the value in C. So neither the tile, nor the stretch, nor the threads change a bit.
#pragma once
#include "vector.h"

namespace cria::CRIA_ISA {

/** Columns of a panel of B: panel p holds B[k][16 p ... 16 p + 15] side by side for each k. */
constexpr int64_t PANEL = 16;
/** Rows of a panel of A, and panels of B that one tile takes: together they fill the registers. */
#if defined(__AVX512F__)
constexpr int64_t TILE_ROWS = 14;
constexpr int64_t TILE_PANELS = 2;
#elif !defined(CRIA_SCALAR_VECTORS)
constexpr int64_t TILE_ROWS = 6;
constexpr int64_t TILE_PANELS = 1;
#else
constexpr int64_t TILE_ROWS = 2;
constexpr int64_t TILE_PANELS = 1;
#endif
/** Steps of the contraction that are packed at once: a panel of B (16 KB) stays in the first-level cache. */
constexpr int64_t STRETCH = 256;
/** Rows of A that are packed at once: with a stretch, less than half of a second-level cache. */
constexpr int64_t BLOCK_ROWS = 192 / TILE_ROWS * TILE_ROWS;

/** Of the panels that will be multiplied next: `bytes` of each, from `first` on, `stride` bytes apart. */
struct NextPanels {
  const uint8_t* first;
  int64_t bytes, stride;
};

/**
 * A stretch of C: packed rows of A (see below) with panels of B. C[r][c] = (onto ? C[r][c] : 0) + sum_k A[r][k] B[k][c];
 * panels of A are `rowPanelStride` floats apart, those of B `panelStride`, rows of C `stride`. `next` is fetched
 * meanwhile.
 */
void multiplyStretch(int64_t rows, int64_t columns, int64_t steps, const float* a, int64_t rowPanelStride, const float* b,
                     int64_t panelStride, float* c, int64_t stride, bool onto, NextPanels next = {});

/** Panels of A from its rows, one after the other: panel[k * TILE_ROWS + r] = x[r][k]. Rows that are missing stay unset. */
void packRows(const float* x, int64_t stride, int64_t rows, int64_t steps, float* target);

/**
 * Panels of A or B from columns: target[(c / WIDTH) * panelStride + k * WIDTH + c % WIDTH] = x[k][c], zeros where x has
 * no column.
 */
template <int64_t WIDTH>
static inline void packColumns(const float* x, int64_t stride, int64_t columns, int64_t steps, float* target,
                               int64_t panelStride) {
  for (int64_t k = 0; k < steps; k++) {
    float* line = target;
    int64_t c = 0;
    for (; c + WIDTH <= columns; c += WIDTH) {
      memcpy(line, x + c, WIDTH * sizeof(float));
      line += panelStride;
    }
    if (c < columns) {
      for (int64_t i = 0; i < WIDTH; i++) line[i] = c + i < columns ? x[c + i] : 0.0f;
    }
    x += stride;
    target += WIDTH;
  }
}

}  // namespace cria::CRIA_ISA
