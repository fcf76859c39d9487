// linear with f32, f16 and bf16 weights, in panels of 16 rows: of each column the 16 values side by side. One token
// walks through panels far apart (more of the memory is busy then); many go through them in tiles (gemm.h). Either way
// an output is one chain of multiply-adds, columns ascending.
#include "panels.h"

namespace cria::CRIA_ISA {

int64_t packedBytesDense(int64_t kind, int64_t rows, int64_t columns) {
  return ceilingDivide(rows, PANEL) * PANEL * columns * valueBytes(kind);
}

/** A unit is a panel. */
int64_t packUnitsDense(int64_t, int64_t first, int64_t count) {
  return ceilingDivide(first + count, PANEL) - first / PANEL;
}

int64_t formBytesDense(int64_t, int64_t) { return 0; }
int64_t formUnitsDense(int64_t) { return 0; }

/** Panels of a unit of many tokens. */
constexpr int64_t unitPanels = 4;

int64_t linearUnitsDense(int64_t, int64_t tokens, int64_t rows, int64_t) {
  const int64_t panels = ceilingDivide(rows, PANEL);
  return tokens == 1 ? panels : ceilingDivide(tokens, BLOCK_ROWS) * ceilingDivide(panels, unitPanels);
}

void decodeRowDense(int64_t kind, const uint8_t* weight, int64_t, int64_t columns, int64_t row, float* out) {
  const uint8_t* panel = weight + row / PANEL * PANEL * columns * valueBytes(kind);
  const int64_t at = placeInColumn(kind, row % PANEL);
  for (int64_t k = 0; k < columns; k++) out[k] = valueAt(kind, panel, k * PANEL + at);
}

/** 16 values a column from `count` rows, the others zero; `first` is the row of the panel where they go. */
template <class Value>
static void packPanel(const Value* source, int64_t columns, int64_t first, int64_t count, int64_t kind, Value* panel) {
  for (int64_t r = 0; r < count; r++) {
    Value* target = panel + placeInColumn(kind, first + r);
    for (int64_t k = 0; k < columns; k++) target[k * PANEL] = source[r * columns + k];
  }
}

/**
 * Operands: source, packed weight, first row, count, rows, columns, kind. Unit: see packUnitsDense. The last panel is
 * filled up with zeros.
 */
void PackDense(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t first = int64_t(args[2]), count = int64_t(args[3]), rows = int64_t(args[4]);
  const int64_t columns = int64_t(args[5]), kind = int64_t(args[6]);
  for (int64_t panel = first / PANEL + begin; panel < first / PANEL + end; panel++) {
    const int64_t from = larger(panel * PANEL, first), to = smaller((panel + 1) * PANEL, first + count);
    const int64_t at = (from - first) * columns, place = panel * PANEL * columns;
    if (kind == F32) {
      float* target = pointer<float>(args[1]) + place;
      if (to == rows && rows % PANEL != 0) clearRows(target, columns, rows % PANEL, kind);
      if (to - from == PANEL) transposeRows(pointer<float>(args[0]) + at, columns, columns, target);
      else packPanel(pointer<float>(args[0]) + at, columns, from % PANEL, to - from, kind, target);
    } else {
      uint16_t* target = pointer<uint16_t>(args[1]) + place;
      if (to == rows && rows % PANEL != 0) clearRows(target, columns, rows % PANEL, kind);
      packPanel(pointer<uint16_t>(args[0]) + at, columns, from % PANEL, to - from, kind, target);
    }
  }
}

/** Operands: x, form, tokens, columns. Recorded only where formBytesDense is not 0. */
void FormDense(const double*, int64_t, int64_t, Thread&) {}

/** One token with STREAMS panels, `far` columns of 16 values apart. */
template <int64_t KIND, int STREAMS>
static void walkPanels(const float* x, int64_t columns, const uint8_t* weight, int64_t far, int64_t outputs[],
                       float* out, int64_t rows) {
  constexpr int VECTORS = PANEL / LANES;
  const int64_t columnBytes = PANEL * valueBytes(KIND);
  Vector sums[STREAMS][VECTORS];
  for (int s = 0; s < STREAMS; s++) {
    for (int v = 0; v < VECTORS; v++) sums[s][v] = zero();
  }
  for (int64_t k = 0; k < columns; k++) {
    const Vector value = broadcast(x[k]);
    for (int s = 0; s < STREAMS; s++) {
      Vector column[VECTORS];
      loadColumn<KIND>(weight + (s * far + k) * columnBytes, column);
      for (int v = 0; v < VECTORS; v++) sums[s][v] = fma(value, column[v], sums[s][v]);
    }
  }
  for (int s = 0; s < STREAMS; s++) {
    float sixteen[PANEL];
    storeColumn<KIND>(sixteen, sums[s]);
    memcpy(out + outputs[s], sixteen, size_t(smaller(PANEL, rows - outputs[s])) * sizeof(float));
  }
}

template <int64_t KIND>
static void linearVector(const float* x, const uint8_t* weight, float* out, int64_t rows, int64_t columns, int64_t begin,
                         int64_t end) {
  constexpr int streams = 4;
  const int64_t panelBytes = PANEL * columns * valueBytes(KIND);
  const int64_t apart = (end - begin) / streams;
  for (int64_t panel = begin; panel < begin + apart; panel++) {
    int64_t outputs[streams];
    for (int64_t s = 0; s < streams; s++) outputs[s] = (panel + s * apart) * PANEL;
    walkPanels<KIND, streams>(x, columns, weight + panel * panelBytes, apart * columns, outputs, out, rows);
  }
  for (int64_t panel = begin + streams * apart; panel < end; panel++) {
    int64_t output = panel * PANEL;
    walkPanels<KIND, 1>(x, columns, weight + panel * panelBytes, 0, &output, out, rows);
  }
}

/** A block of tokens with the panels from `first` on; `packed` takes the block's stretch, `unpacked` that of panels. */
template <int64_t KIND>
static void linearBlock(const float* x, int64_t tokens, const uint8_t* weight, float* out, int64_t rows, int64_t columns,
                        int64_t first, int64_t last, float* packed, float* unpacked) {
  constexpr int64_t columnBytes = PANEL * valueBytes(KIND);
  const int64_t panelBytes = columns * columnBytes;
  for (int64_t k = 0; k < columns; k += STRETCH) {
    const int64_t steps = smaller(columns - k, STRETCH);
    packRows(x + k, columns, tokens, steps, packed);
    for (int64_t panel = first; panel < last; panel += TILE_PANELS) {
      const int64_t width = smaller(rows, last * PANEL) - panel * PANEL;
      const uint8_t* source = weight + panel * panelBytes + k * columnBytes;
      const uint8_t* next = panel + TILE_PANELS < last ? source + TILE_PANELS * panelBytes
                                                       : weight + first * panelBytes + (k + STRETCH) * columnBytes;
      const float* b = reinterpret_cast<const float*>(source);
      int64_t panelStride = columns * PANEL;
      if (KIND != F32) {
        b = unpacked;
        panelStride = STRETCH * PANEL;
        for (int64_t p = 0; p < smaller(TILE_PANELS, last - panel); p++) {
          unpackColumns<KIND>(source + p * panelBytes, steps, unpacked + p * panelStride);
        }
      }
      multiplyStretch(tokens, smaller(width, TILE_PANELS * PANEL), steps, packed, steps * TILE_ROWS, b, panelStride,
                      out + panel * PANEL, rows, k > 0, {next, steps * columnBytes, panelBytes});
    }
  }
}

template <int64_t KIND>
static void linear(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const float* x = pointer<float>(args[0]);
  const uint8_t* weight = pointer<uint8_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  if (tokens == 1) return linearVector<KIND>(x, weight, out, rows, columns, begin, end);
  float* packed = reinterpret_cast<float*>(thread.scratch);
  float* unpacked = packed + BLOCK_ROWS * STRETCH;
  const int64_t panels = ceilingDivide(rows, PANEL), across = ceilingDivide(panels, unitPanels);
  for (int64_t unit = begin; unit < end;) {
    // All units of this range that lie in the same block of tokens are one piece of work.
    const int64_t block = unit / across, next = smaller(end, (block + 1) * across);
    const int64_t first = unit % across * unitPanels, last = smaller(panels, (next - block * across) * unitPanels);
    const int64_t token = block * BLOCK_ROWS;
    linearBlock<KIND>(x + token * columns, smaller(tokens - token, BLOCK_ROWS), weight, out + token * rows, rows, columns,
                      first, last, packed, unpacked);
    unit = next;
  }
}

/** Operands: x, packed weight, out, tokens, rows, columns, kind. Unit: see linearUnitsDense. */
void LinearDense(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const int64_t kind = int64_t(args[6]);
  if (kind == F32) linear<F32>(args, begin, end, thread);
  else if (kind == F16) linear<F16>(args, begin, end, thread);
  else linear<BF16>(args, begin, end, thread);
}

}  // namespace cria::CRIA_ISA
