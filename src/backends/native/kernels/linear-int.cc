// linear with integer weights and 8-bit activations. A unit is a panel of 16 rows. Few tokens read panels as they are
// packed, several side by side (here); many go through unpacked parts of a panel (matrix-int.h).
// Within a group the sums are exact, so only the chain over groups decides the bits of a result: one multiply-add with
// the scale (and one with the minimum), then the token's scale. Both ways keep that chain.
#include "matrix-int.h"

namespace cria::CRIA_ISA {

int64_t linearUnitsInt(int64_t, int64_t, int64_t rows, int64_t) { return ceilingDivide(rows, panelRows); }

/** One group of a tile: the dot products of all rows and tokens as floats. */
template <Kind kind, int tokens>
[[gnu::always_inline]] static inline void dotsOfGroup(const uint8_t* block, const Record (&x)[tokens], int64_t group,
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

/** One group of a panel times some tokens, onto their sums [token][row]. */
template <Kind kind, int tokens>
static inline void multiplyGroup(const uint8_t* block, const Record (&x)[tokens], int64_t group, float* sums) {
  const uint16_t* scales = reinterpret_cast<const uint16_t*>(block + valueBytes(kind));
  Vector dots[vectors][tokens];
  dotsOfGroup<kind>(block, x, group, dots);
  CRIA_UNROLL
  for (int v = 0; v < vectors; v++) {
    Vector scale = zero(), minimum = zero();
    if constexpr (kind != Int8Channel) scale = loadHalves(scales + v * LANES);
    // The record has -8 times the sum of the group's activations.
    if constexpr (kind == Int4Min) minimum = mul(loadHalves(scales + panelRows + v * LANES), broadcast(-0.125f));
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      float* at = sums + t * panelRows + v * LANES;
      Vector sum = load(at);
      if constexpr (kind == Int8Channel) sum = add(sum, dots[v][t]);
      else sum = fma(dots[v][t], scale, sum);
      if constexpr (kind == Int4Min) sum = fma(toFloats(broadcastInteger(x[t].offsets[group])), minimum, sum);
      store(at, sum);
    }
  }
}

/** Panels that are read side by side: memory answers several streams sooner than one. */
constexpr int64_t panelsAtOnce = 4;

/** Some tokens, from `token` on, times some panels; `out` is the first panel's first row of token 0. */
template <Kind kind, int tokens>
static void multiplyPanels(const uint8_t* panel, int64_t panels, const uint8_t* records, int64_t token, int64_t columns,
                           float* out, int64_t rows, int64_t rowsLeft) {
  const int64_t groups = columns / groupSize, stride = panelBytes(kind, columns);
  Record x[tokens];
  for (int t = 0; t < tokens; t++) x[t] = recordAt(records, token + t, columns);
  for (; panels > 0; panels -= panelsAtOnce, panel += panelsAtOnce * stride) {
    const int64_t some = smaller(panels, panelsAtOnce);
    float sums[panelsAtOnce][tokens * panelRows] = {};
    for (int64_t g = 0; g < groups; g++) {
      for (int64_t p = 0; p < some; p++) {
        const uint8_t* block = panel + p * stride + g * blockBytes(kind);
        // On its way meanwhile: the panel's next group, or where the next panels begin.
        const uint8_t* next = g + 1 < groups ? block + blockBytes(kind) : panel + (panelsAtOnce + p) * stride;
        for (int64_t at = 0; at < blockBytes(kind); at += 64) __builtin_prefetch(next + at);
        multiplyGroup<kind>(block, x, g, sums[p]);
      }
    }
    for (int64_t p = 0; p < some; p++, out += panelRows, rowsLeft -= panelRows) {
      for (int t = 0; t < tokens; t++) {
        storeRows<kind>(panel + p * stride, groups, sums[p] + t * panelRows, x[t].scale, out + (token + t) * rows,
                        rowsLeft);
      }
    }
  }
}

/** More tokens than this are worth unpacking a panel for. */
constexpr int fewTokens = largestTile < 4 ? largestTile : 4;

template <Kind kind>
static void multiply(const double* args, int64_t begin, int64_t end, uint8_t* scratch) {
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
  const uint8_t* panel = weight + begin * panelBytes(kind, columns);
  const int64_t panels = end - begin, row = begin * panelRows;
  int64_t t = 0;
  if constexpr (fewTokens >= 4) {
    for (; t + 4 <= tokens; t += 4)
      multiplyPanels<kind, 4>(panel, panels, records, t, columns, out + row, rows, rows - row);
  }
  if constexpr (fewTokens >= 2) {
    for (; t + 2 <= tokens; t += 2)
      multiplyPanels<kind, 2>(panel, panels, records, t, columns, out + row, rows, rows - row);
  }
  for (; t < tokens; t++) multiplyPanels<kind, 1>(panel, panels, records, t, columns, out + row, rows, rows - row);
}

/** Operands: records, packed weight, out, tokens, rows, columns, kind. Unit: a panel. */
void LinearInt(const double* args, int64_t begin, int64_t end, Thread& thread) {
  switch (int64_t(args[6])) {
    case Int8: return multiply<Int8>(args, begin, end, thread.scratch);
    case Int8Channel: return multiply<Int8Channel>(args, begin, end, thread.scratch);
    case Int4: return multiply<Int4>(args, begin, end, thread.scratch);
    default: return multiply<Int4Min>(args, begin, end, thread.scratch);
  }
}

}  // namespace cria::CRIA_ISA
