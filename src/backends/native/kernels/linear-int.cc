// linear with integer weights and 8-bit activations. A unit is a panel of 16 rows. Few tokens
// read the panel as it is packed (here), many go through unpacked parts of it (matrix-int.h).
// Within a group the sums are exact, so only the chain over groups decides the bits of a result: one multiply-add with
// the scale (and one with the minimum), then the token's scale. Both ways keep that chain.
#include "matrix-int.h"

namespace cria::CRIA_ISA {

int64_t linearUnitsInt(int64_t, int64_t, int64_t rows, int64_t) { return ceilingDivide(rows, panelRows); }

/** One group of a tile: the dot products of all rows and tokens as floats. */
template <Kind kind, int tokens>
[[gnu::always_inline]] static inline void multiplyGroup(const uint8_t* block, const Record (&x)[tokens], int64_t group,
                                                        Vector (&dots)[vectors][tokens]) {
  constexpr int parts = int(valueBytes(kind) / partBytes);
  if constexpr (hasNibbles(kind)) {
    NibbleSum sums[vectors][tokens];
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      const int32_t start = kind == Int4 ? x[t].offsets[group] : 0;
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) sums[v][t] = beginNibbles(start);
    }
    CRIA_UNROLL
    for (int part = 0; part < parts; part++) {
      Bytes low[vectors], high[vectors];
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) {
        const Bytes both = loadBytes(block + part * partBytes + v * LANES * 4);
        low[v] = lowNibbles(both);
        high[v] = highNibbles(both);
      }
      CRIA_UNROLL
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + part * 4);
        CRIA_UNROLL
        for (int v = 0; v < vectors; v++) sums[v][t] = addNibbles(sums[v][t], low[v], four);
      }
      CRIA_UNROLL
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + 16 + part * 4);
        CRIA_UNROLL
        for (int v = 0; v < vectors; v++) sums[v][t] = addNibbles(sums[v][t], high[v], four);
      }
    }
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      const int32_t start = kind == Int4 ? x[t].offsets[group] : 0;
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) dots[v][t] = toFloats(endNibbles(sums[v][t], start));
    }
  } else {
    ByteSum sums[vectors][tokens];
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) sums[v][t] = beginBytes(x[t].offsets[group]);
    }
    CRIA_UNROLL
    for (int part = 0; part < parts; part++) {
      Bytes w[vectors];
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) w[v] = loadBytes(block + part * partBytes + v * LANES * 4);
      CRIA_UNROLL
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + part * 4);
        CRIA_UNROLL
        for (int v = 0; v < vectors; v++) sums[v][t] = addBytes(sums[v][t], w[v], four);
      }
    }
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) dots[v][t] = toFloats(endBytes(sums[v][t]));
    }
  }
}

/** Some tokens, from `token` on, times a panel. */
template <Kind kind, int tokens>
static void multiplyPanel(const uint8_t* panel, const uint8_t* records, int64_t token, int64_t columns, float* out,
                          int64_t rows, int64_t row) {
  const int64_t groups = columns / groupSize;
  Record x[tokens];
  for (int t = 0; t < tokens; t++) x[t] = recordAt(records, token + t, columns);
  Vector sums[vectors][tokens];
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) sums[v][t] = zero();
  }
  for (int64_t g = 0; g < groups; g++) {
    const uint8_t* block = panel + g * blockBytes(kind);
    const uint16_t* scales = reinterpret_cast<const uint16_t*>(block + valueBytes(kind));
    Vector dots[vectors][tokens];
    multiplyGroup<kind>(block, x, g, dots);
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      if constexpr (kind == Int8Channel) {
        CRIA_UNROLL
        for (int t = 0; t < tokens; t++) sums[v][t] = add(sums[v][t], dots[v][t]);
      } else {
        const Vector scale = loadHalves(scales + v * LANES);
        CRIA_UNROLL
        for (int t = 0; t < tokens; t++) sums[v][t] = fma(dots[v][t], scale, sums[v][t]);
      }
      if constexpr (kind == Int4Min) {
        // The record has -8 times the sum of the group's activations.
        const Vector minimum = mul(loadHalves(scales + panelRows + v * LANES), broadcast(-0.125f));
        CRIA_UNROLL
        for (int t = 0; t < tokens; t++) {
          sums[v][t] = fma(toFloats(broadcastInteger(x[t].offsets[g])), minimum, sums[v][t]);
        }
      }
    }
  }
  for (int t = 0; t < tokens; t++) {
    float rowSums[panelRows];
    for (int v = 0; v < vectors; v++) store(rowSums + v * LANES, sums[v][t]);
    storeRows<kind>(panel, groups, rowSums, x[t].scale, out + (token + t) * rows + row, rows - row);
  }
}

/** More tokens than this are worth unpacking a panel for. */
constexpr int fewTokens = largestTile < 4 ? largestTile : 4;

template <Kind kind>
static void multiplyPanels(const double* args, int64_t begin, int64_t end, uint8_t* scratch) {
  const uint8_t* records = pointer<uint8_t>(args[0]);
  const uint8_t* weight = pointer<uint8_t>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  const int64_t atOnce = tokensOfBlock<kind>(columns);
  if (tokens > fewTokens && atOnce > 0) {
    Workspace& work = *reinterpret_cast<Workspace*>(scratch);
    for (int64_t t = 0; t < tokens; t += atOnce) {
      const int64_t count = smaller(atOnce, tokens - t);
      takeActivations<kind>(work, records, t, count, columns);
      for (int64_t p = begin; p < end; p++) {
        const int64_t row = p * panelRows;
        multiplyBlock<kind>(work, weight + p * panelBytes(kind, columns), count, columns, out + t * rows + row, rows,
                            rows - row);
      }
    }
    return;
  }
  for (int64_t p = begin; p < end; p++) {
    const uint8_t* panel = weight + p * panelBytes(kind, columns);
    int64_t t = 0;
    if constexpr (fewTokens >= 4) {
      for (; t + 4 <= tokens; t += 4) multiplyPanel<kind, 4>(panel, records, t, columns, out, rows, p * panelRows);
    }
    if constexpr (fewTokens >= 2) {
      for (; t + 2 <= tokens; t += 2) multiplyPanel<kind, 2>(panel, records, t, columns, out, rows, p * panelRows);
    }
    for (; t < tokens; t++) multiplyPanel<kind, 1>(panel, records, t, columns, out, rows, p * panelRows);
  }
}

/** Operands: records, packed weight, out, tokens, rows, columns, kind. Unit: a panel. */
void LinearInt(const double* args, int64_t begin, int64_t end, Thread& thread) {
  switch (int64_t(args[6])) {
    case Int8: return multiplyPanels<Int8>(args, begin, end, thread.scratch);
    case Int8Channel: return multiplyPanels<Int8Channel>(args, begin, end, thread.scratch);
    case Int4: return multiplyPanels<Int4>(args, begin, end, thread.scratch);
    default: return multiplyPanels<Int4Min>(args, begin, end, thread.scratch);
  }
}

}  // namespace cria::CRIA_ISA
