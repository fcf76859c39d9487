// linear with integer weights for many tokens. A stretch of a panel is unpacked into scratch memory, where it serves
// all tokens of a block, a few at a time: their sums are as many as there are registers. The chain of additions is the
// one of linear-int.cc.
#pragma once

#include "group-products.h"

namespace cria::CRIA_ISA {

/** Tokens of the largest tile. */
#if defined(__AVX512F__)
constexpr int largestTile = 12;
#elif defined(__AVX2__) || defined(__ARM_NEON)
constexpr int largestTile = 4;
#else
constexpr int largestTile = 1;
#endif

/** Groups that are unpacked together: they stay in the first cache. */
constexpr int64_t groupsAtOnce = 16;
/** Tokens of a block at most: their records stay near while all panels of a range pass. */
constexpr int64_t tokensAtOnce = 128 / largestTile * largestTile;

template <Kind kind>
static void unpackGroup(const uint8_t* block, uint8_t* group) {
  using U = Unpacked<kind>;
  constexpr int64_t parts = valueBytes(kind) / partBytes;
  for (int64_t part = 0; part < parts; part++) {
    for (int64_t at = part * partBytes; at < (part + 1) * partBytes; at += LANES * 4) {
      const Bytes w = loadBytes(block + at);
      if constexpr (hasNibbles(kind)) {
        storeBytes(group + at, lowNibbles(w));
        storeBytes(group + parts * partBytes + at, highNibbles(w));
      } else if constexpr (U::widens) {
        storeBytes(group + at, evenBytes(w));
        storeBytes(group + parts * partBytes + at, oddBytes(w));
      } else {
        storeBytes(group + at, w);
      }
    }
  }
  if constexpr (pairsSteps) pairSteps(group, U::steps);
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(block + valueBytes(kind));
  for (int64_t row = 0; row < panelRows; row += LANES) {
    if constexpr (kind != Int8Channel) {
      store(reinterpret_cast<float*>(group + U::scales) + row, loadHalves(halves + row));
    }
    if constexpr (kind == Int4Min) {
      // The record has -8 times the sum of the group's activations.
      const Vector minimum = mul(loadHalves(halves + panelRows + row), broadcast(-0.125f));
      store(reinterpret_cast<float*>(group + U::minima) + row, minimum);
    }
  }
}

/** A token's activations in the order of the steps. */
static inline void widenRecord(const Record& record, int64_t columns, int8_t* out) {
  for (int64_t k = 0; k < columns; k += groupSize) {
    for (int64_t i = 0; i < groupSize; i += LANES * 4) {
      const Bytes x = loadBytes(record.values + k + i);
      storeBytes(out + 2 * k + i, evenBytes(x));
      storeBytes(out + 2 * k + groupSize + i, oddBytes(x));
    }
  }
}

/** What will be unpacked next: brought near while tiles are multiplied, some lines with each of their groups. */
struct Ahead {
  const uint8_t* at;
  const uint8_t* end;
  /** Lines of a group. */
  int64_t lines;
};

/** Some unpacked groups times some tokens, onto their sums [token][row]. */
template <Kind kind, int tokens>
static void multiplyTile(const uint8_t* unpacked, int64_t first, int64_t count, const Activations* x, float* into,
                         Ahead& ahead) {
  using U = Unpacked<kind>;
  Vector totals[vectors][tokens];
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) totals[v][t] = load(into + t * panelRows + v * LANES);
  }
  for (int64_t g = first; g < first + count; g++, unpacked += U::bytes) {
    if (ahead.at < ahead.end) {
      for (int64_t line = 0; line < ahead.lines; line++) __builtin_prefetch(ahead.at + line * 64);
      ahead.at += ahead.lines * 64;
    }
    Integers dots[vectors][tokens];
    multiplyGroup<kind, tokens>(unpacked, x, g, dots);
    const float* scales = reinterpret_cast<const float*>(unpacked + U::scales);
    const float* minima = reinterpret_cast<const float*>(unpacked + U::minima);
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) {
        const Vector dot = toFloats(dots[v][t]);
        if constexpr (kind == Int8Channel) totals[v][t] = add(totals[v][t], dot);
        else totals[v][t] = fma(dot, load(scales + v * LANES), totals[v][t]);
        if constexpr (kind == Int4Min) {
          const Vector total = toFloats(broadcastInteger(x[t].offsets[g]));
          totals[v][t] = fma(total, load(minima + v * LANES), totals[v][t]);
        }
      }
    }
  }
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) store(into + t * panelRows + v * LANES, totals[v][t]);
  }
}

/** Tiles of at most `largest` tokens until none is left. */
template <Kind kind, int largest>
static void multiplyTiles(const uint8_t* unpacked, int64_t first, int64_t count, const Activations* x, int64_t tokens,
                          float* into, Ahead& ahead) {
  int64_t t = 0;
  for (; t + largest <= tokens; t += largest) {
    multiplyTile<kind, largest>(unpacked, first, count, x + t, into + t * panelRows, ahead);
  }
  if constexpr (largest > 1) {
    constexpr int next = largest > 4 ? 4 : largest - 1;
    if (t < tokens) multiplyTiles<kind, next>(unpacked, first, count, x + t, tokens - t, into + t * panelRows, ahead);
  }
}

/** The sums of a token with the scales that are left, into its row of the result. */
template <Kind kind>
static inline void storeRows(const uint8_t* panel, int64_t groups, const float* sums, float scale, float* target,
                             int64_t rowsLeft) {
  const float* rowScales = reinterpret_cast<const float*>(panel + groups * blockBytes(kind));
  for (int64_t row = 0; row < smaller(panelRows, rowsLeft); row += LANES) {
    Vector y = load(sums + row);
    if constexpr (kind == Int8Channel) y = mul(y, load(rowScales + row));
    y = mul(y, broadcast(scale));
    if (rowsLeft - row >= LANES) store(target + row, y);
    else storeSome(target + row, y, int(rowsLeft - row));
  }
}

/** What a thread keeps in its scratch memory, besides activations that were widened. */
struct Workspace {
  uint8_t unpacked[groupsAtOnce * (16 * partBytes + 2 * panelRows * 4)];
  float sums[tokensAtOnce * panelRows];
  Activations x[tokensAtOnce];
  int8_t widened[];
};

/** Tokens of a block. */
template <Kind kind>
static int64_t tokensOfBlock(int64_t columns) {
  if (!Unpacked<kind>::widens) return tokensAtOnce;
  const int64_t fitting = (scratchBytes - int64_t(sizeof(Workspace))) / (2 * columns);
  return smaller(tokensAtOnce, fitting / largestTile * largestTile);
}

/** Fills the workspace's activations with `count` tokens from `token` on. */
template <Kind kind>
static void takeActivations(Workspace& work, const uint8_t* records, int64_t token, int64_t count, int64_t columns) {
  for (int64_t t = 0; t < count; t++) {
    const Record record = recordAt(records, token + t, columns);
    int8_t* widened = work.widened + 2 * columns * t;
    if (Unpacked<kind>::widens) widenRecord(record, columns, widened);
    work.x[t] = {Unpacked<kind>::widens ? widened : record.values, record.offsets, record.scale};
  }
}

/** The workspace's `count` tokens times a panel; `out` is [token][rows], the panel's first row in its first column. */
template <Kind kind>
static void multiplyBlock(Workspace& work, const uint8_t* panel, int64_t count, int64_t columns, float* out,
                          int64_t rows, int64_t rowsLeft) {
  const int64_t groups = columns / groupSize, tiles = ceilingDivide(count, largestTile);
  for (int64_t i = 0; i < count * panelRows; i++) work.sums[i] = 0;
  for (int64_t first = 0; first < groups; first += groupsAtOnce) {
    const int64_t some = smaller(groupsAtOnce, groups - first);
    for (int64_t g = 0; g < some; g++) {
      unpackGroup<kind>(panel + (first + g) * blockBytes(kind), work.unpacked + g * Unpacked<kind>::bytes);
    }
    // Panels follow one another, so what comes next lies behind these groups.
    const uint8_t* next = panel + (first + some) * blockBytes(kind);
    const int64_t bytes = some * blockBytes(kind);
    Ahead ahead = {next, next + bytes, ceilingDivide(bytes, 64 * some * tiles)};
    multiplyTiles<kind, largestTile>(work.unpacked, first, some, work.x, count, work.sums, ahead);
  }
  for (int64_t t = 0; t < count; t++) {
    storeRows<kind>(panel, groups, work.sums + t * panelRows, work.x[t].scale, out + t * rows, rowsLeft);
  }
}

}  // namespace cria::CRIA_ISA
