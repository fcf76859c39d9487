// linear with integer weights and 8-bit activations. A unit is a panel of 16 rows; a tile is some tokens times a panel.
// Within a group the sums are exact, so only the chain over groups decides the bits of a result: one multiply-add with
// the scale (and one with the minimum), then the token's scale. Every tile keeps that chain, whatever its tokens.
#include "int-vector.h"

namespace cria::CRIA_ISA {

int64_t linearUnitsInt(int64_t, int64_t, int64_t rows, int64_t) { return ceilingDivide(rows, panelRows); }

/** Vectors of a panel's rows. */
constexpr int vectors = panelRows / LANES;

/** Tokens of the largest tile: as many as there are registers for their sums. */
#if defined(__AVX512F__)
constexpr int largestTile = 12;
#elif defined(__AVX2__) || defined(__ARM_NEON)
constexpr int largestTile = 4;
#else
constexpr int largestTile = 1;
#endif

/** Tokens that go through all panels of a range together: their records stay near, the panels come again for each block. */
constexpr int64_t tokensAtOnce = 128 / largestTile * largestTile;

/** One group of a tile: the dot products of all rows and tokens as floats. */
template <Kind kind, int tokens>
[[gnu::always_inline]] static inline void multiplyGroup(const uint8_t* block, const Record (&x)[tokens], int64_t group,
                                                        Vector (&dots)[vectors][tokens]) {
  constexpr int parts = int(valueBytes(kind) / partBytes);
  if constexpr (hasNibbles(kind)) {
    NibbleSum sums[vectors][tokens];
#pragma GCC unroll 16
    for (int t = 0; t < tokens; t++) {
      const int32_t start = kind == Int4 ? x[t].offsets[group] : 0;
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) sums[v][t] = beginNibbles(start);
    }
#pragma GCC unroll 16
    for (int part = 0; part < parts; part++) {
      Bytes low[vectors], high[vectors];
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) {
        const Bytes both = loadBytes(block + part * partBytes + v * LANES * 4);
        low[v] = lowNibbles(both);
        high[v] = highNibbles(both);
      }
#pragma GCC unroll 16
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + part * 4);
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++) sums[v][t] = addNibbles(sums[v][t], low[v], four);
      }
#pragma GCC unroll 16
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + 16 + part * 4);
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++) sums[v][t] = addNibbles(sums[v][t], high[v], four);
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < tokens; t++) {
      const int32_t start = kind == Int4 ? x[t].offsets[group] : 0;
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) dots[v][t] = toFloats(endNibbles(sums[v][t], start));
    }
  } else {
    ByteSum sums[vectors][tokens];
#pragma GCC unroll 16
    for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) sums[v][t] = beginBytes(x[t].offsets[group]);
    }
#pragma GCC unroll 16
    for (int part = 0; part < parts; part++) {
      Bytes w[vectors];
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) w[v] = loadBytes(block + part * partBytes + v * LANES * 4);
#pragma GCC unroll 16
      for (int t = 0; t < tokens; t++) {
        const Bytes four = broadcastFour(x[t].values + group * groupSize + part * 4);
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++) sums[v][t] = addBytes(sums[v][t], w[v], four);
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 16
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
#pragma GCC unroll 16
  for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++) sums[v][t] = zero();
  }
  for (int64_t g = 0; g < groups; g++) {
    const uint8_t* block = panel + g * blockBytes(kind);
    const uint16_t* scales = reinterpret_cast<const uint16_t*>(block + valueBytes(kind));
    Vector dots[vectors][tokens];
    multiplyGroup<kind>(block, x, g, dots);
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++) {
      if constexpr (kind == Int8Channel) {
#pragma GCC unroll 16
        for (int t = 0; t < tokens; t++) sums[v][t] = add(sums[v][t], dots[v][t]);
      } else {
        const Vector scale = loadHalves(scales + v * LANES);
#pragma GCC unroll 16
        for (int t = 0; t < tokens; t++) sums[v][t] = fma(dots[v][t], scale, sums[v][t]);
      }
      if constexpr (kind == Int4Min) {
        // The record has -8 times the sum of the group's activations.
        const Vector minimum = mul(loadHalves(scales + panelRows + v * LANES), broadcast(-0.125f));
#pragma GCC unroll 16
        for (int t = 0; t < tokens; t++) {
          sums[v][t] = fma(toFloats(broadcastInteger(x[t].offsets[g])), minimum, sums[v][t]);
        }
      }
    }
  }
  const float* rowScales = reinterpret_cast<const float*>(panel + groups * blockBytes(kind));
  for (int t = 0; t < tokens; t++) {
    float* target = out + (token + t) * rows + row;
    for (int v = 0; v < vectors; v++) {
      Vector y = sums[v][t];
      if constexpr (kind == Int8Channel) y = mul(y, load(rowScales + v * LANES));
      y = mul(y, broadcast(x[t].scale));
      const int64_t left = rows - row - v * LANES;
      if (left >= LANES) store(target + v * LANES, y);
      else if (left > 0) storeSome(target + v * LANES, y, int(left));
    }
  }
}

template <Kind kind>
static void multiplyPanels(const double* args, int64_t begin, int64_t end) {
  const uint8_t* records = pointer<uint8_t>(args[0]);
  float* out = pointer<float>(args[2]);
  const int64_t tokens = int64_t(args[3]), rows = int64_t(args[4]), columns = int64_t(args[5]);
  for (int64_t first = 0; first < tokens; first += tokensAtOnce) {
    const int64_t last = smaller(first + tokensAtOnce, tokens);
    for (int64_t p = begin; p < end; p++) {
      const uint8_t* panel = pointer<uint8_t>(args[1]) + p * panelBytes(kind, columns);
      const int64_t row = p * panelRows;
      int64_t t = first;
      for (; t + largestTile <= last; t += largestTile) {
        multiplyPanel<kind, largestTile>(panel, records, t, columns, out, rows, row);
      }
      if constexpr (largestTile > 4) {
        for (; t + 4 <= last; t += 4) multiplyPanel<kind, 4>(panel, records, t, columns, out, rows, row);
      }
      if constexpr (largestTile > 2) {
        for (; t + 2 <= last; t += 2) multiplyPanel<kind, 2>(panel, records, t, columns, out, rows, row);
      }
      if constexpr (largestTile > 1) {
        if (t < last) multiplyPanel<kind, 1>(panel, records, t, columns, out, rows, row);
      }
    }
  }
}

/** Operands: records, packed weight, out, tokens, rows, columns, kind. Unit: a panel. */
void LinearInt(const double* args, int64_t begin, int64_t end, Thread&) {
  switch (int64_t(args[6])) {
    case Int8: return multiplyPanels<Int8>(args, begin, end);
    case Int8Channel: return multiplyPanels<Int8Channel>(args, begin, end);
    case Int4: return multiplyPanels<Int4>(args, begin, end);
    default: return multiplyPanels<Int4Min>(args, begin, end);
  }
}

}  // namespace cria::CRIA_ISA
