// The backward operations of linear, as products of packed panels (gemm.h).
#include "panels.h"

namespace cria::CRIA_ISA {

int64_t inputGradientBytes(int64_t rows, int64_t columns) {
  return ceilingDivide(columns, PANEL) * PANEL * rows * int64_t(sizeof(float));
}

/** A unit is 16 rows. */
int64_t inputGradientPackUnits(int64_t rows) { return ceilingDivide(rows, PANEL); }

/** Panels of 16 columns that belong to a unit of LinearInputGradient. */
constexpr int64_t inputUnitPanels = 4;

int64_t inputGradientUnits(int64_t tokens, int64_t columns) {
  return ceilingDivide(tokens, BLOCK_ROWS) * ceilingDivide(columns, inputUnitPanels * PANEL);
}

/**
 * The weight with its rows as the contraction: panel p holds w[n][16 p ... 16 p + 15] for n = first ... first + count - 1.
 * Operands: weight, target, rows, columns, kind, first row, count, 1 where the weight is packed and 0 where it is rows of
 * floats. Unit: see above.
 */
void PackInputGradient(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const uint8_t* weight = pointer<uint8_t>(args[0]);
  float* target = pointer<float>(args[1]);
  const int64_t rows = int64_t(args[2]), columns = int64_t(args[3]), kind = int64_t(args[4]);
  const int64_t first = int64_t(args[5]), count = int64_t(args[6]);
  const bool packed = args[7] != 0;
  float* decoded = reinterpret_cast<float*>(thread.scratch);
  for (int64_t n = begin * PANEL; n < smaller(end * PANEL, count); n++) {
    const float* row = decoded;
    if (!packed) row = reinterpret_cast<const float*>(weight) + (first + n) * columns;
    else if (isInteger(kind)) decodeRowInt(kind, weight, rows, columns, first + n, decoded);
    else decodeRowDense(kind, weight, rows, columns, first + n, decoded);
    packColumns<PANEL>(row, 0, columns, 1, target + n * PANEL, count * PANEL);
  }
}

/**
 * Operands: dy, row stride of dy, packed weight (see above), dx, tokens, rows (of this pack), columns, 1 to add to dx
 * and 0 to set it. Unit: see inputGradientUnits.
 */
void LinearInputGradient(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const float* dy = pointer<float>(args[0]);
  const float* panels = pointer<float>(args[2]);
  float* dx = pointer<float>(args[3]);
  const int64_t stride = int64_t(args[1]), tokens = int64_t(args[4]), rows = int64_t(args[5]);
  const int64_t columns = int64_t(args[6]);
  const bool onto = args[7] != 0;
  float* packed = reinterpret_cast<float*>(thread.scratch);
  const int64_t width = inputUnitPanels * PANEL, across = ceilingDivide(columns, width);
  for (int64_t unit = begin; unit < end;) {
    const int64_t block = unit / across, next = smaller(end, (block + 1) * across);
    const int64_t first = unit % across * width, last = smaller(columns, (next - block * across) * width);
    const int64_t token = block * BLOCK_ROWS, count = smaller(tokens - token, BLOCK_ROWS);
    for (int64_t n = 0; n < rows; n += STRETCH) {
      const int64_t steps = smaller(rows - n, STRETCH);
      packRows(dy + token * stride + n, stride, count, steps, packed);
      multiplyStretch(count, last - first, steps, packed, steps * TILE_ROWS, panels + first * rows + n * PANEL,
                      rows * PANEL, dx + token * columns + first, columns, onto || n > 0);
    }
    unit = next;
  }
}

// Panels of both operands of a weight gradient, each with a line of distance: panels that lie a power of two apart would
// push each other out of the caches.
constexpr int64_t distance = 16;
static inline int64_t rowPanelFloats(int64_t tokens) { return tokens * TILE_ROWS + distance; }
static inline int64_t columnPanelFloats(int64_t tokens) { return tokens * PANEL + distance; }

int64_t weightGradientBytes(int64_t tokens, int64_t rows, int64_t columns) {
  return int64_t(sizeof(float)) * (ceilingDivide(rows, TILE_ROWS) * rowPanelFloats(tokens) +
                                   ceilingDivide(columns, PANEL) * columnPanelFloats(tokens));
}

/** As many as leave both packed operands in a third-level cache. */
int64_t weightGradientTokens(int64_t rows, int64_t columns) {
  const int64_t fitting = (int64_t(6) << 20) / (int64_t(sizeof(float)) * (rows + columns));
  return larger(STRETCH, fitting / STRETCH * STRETCH);
}

/** Tokens of a unit of PackWeightGradient; rows and columns of a unit of LinearWeightGradient. */
constexpr int64_t packUnitTokens = 32;
constexpr int64_t unitRows = ceilingDivide(24, TILE_ROWS) * TILE_ROWS;
constexpr int64_t unitColumns = 256;

int64_t weightGradientPackUnits(int64_t tokens) { return ceilingDivide(tokens, packUnitTokens); }
int64_t weightGradientUnits(int64_t rows, int64_t columns) {
  return ceilingDivide(rows, unitRows) * ceilingDivide(columns, unitColumns);
}

/** Operands: dy, x, target, tokens, rows, columns. Unit: see weightGradientPackUnits. */
void PackWeightGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  float* a = pointer<float>(args[2]);
  float* b = a + ceilingDivide(rows, TILE_ROWS) * rowPanelFloats(tokens);
  const int64_t first = begin * packUnitTokens, count = smaller(end * packUnitTokens, tokens) - first;
  packColumns<TILE_ROWS>(pointer<float>(args[0]) + first * rows, rows, rows, count, a + first * TILE_ROWS,
                         rowPanelFloats(tokens));
  packColumns<PANEL>(pointer<float>(args[1]) + first * columns, columns, columns, count, b + first * PANEL,
                     columnPanelFloats(tokens));
}

/** Operands: packed operands (see above), into, tokens, rows, columns. Unit: see weightGradientUnits. */
void LinearWeightGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* a = pointer<float>(args[0]);
  float* into = pointer<float>(args[1]);
  const int64_t tokens = int64_t(args[2]), rows = int64_t(args[3]), columns = int64_t(args[4]);
  const float* b = a + ceilingDivide(rows, TILE_ROWS) * rowPanelFloats(tokens);
  const int64_t across = ceilingDivide(columns, unitColumns);
  for (int64_t unit = begin; unit < end;) {
    // One piece of work is either part of a block of rows, or as many whole blocks as the range and the cache hold.
    const int64_t whole = unit % across == 0 ? smaller((end - unit) / across, BLOCK_ROWS / unitRows) : 0;
    const int64_t next = whole > 0 ? unit + whole * across : smaller(end, (unit / across + 1) * across);
    const int64_t row = unit / across * unitRows, column = unit % across * unitColumns;
    const int64_t count = smaller(rows - row, larger(whole, int64_t(1)) * unitRows);
    const int64_t width = smaller(columns - column, whole > 0 ? columns : (next - unit) * unitColumns);
    for (int64_t t = 0; t < tokens; t += STRETCH) {
      multiplyStretch(count, width, smaller(tokens - t, STRETCH), a + row / TILE_ROWS * rowPanelFloats(tokens) + t * TILE_ROWS,
                      rowPanelFloats(tokens), b + column / PANEL * columnPanelFloats(tokens) + t * PANEL,
                      columnPanelFloats(tokens), into + row * columns + column, columns, true);
    }
    unit = next;
  }
}

}  // namespace cria::CRIA_ISA
