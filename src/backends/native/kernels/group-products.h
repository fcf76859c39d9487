// An unpacked group of a panel times some tokens: the inner loop of matrix-int.h, by dot products of four columns or by
// products of small matrices. All results are exact, so which of them runs changes no bit.
#pragma once

#include "int-vector.h"

// Loops over registers. Without vectors the lanes are loops too, and unrolling all of it takes compilers minutes.
#if defined(__AVX2__) || defined(__AVX512F__) || defined(__ARM_NEON)
#define CRIA_UNROLL _Pragma("GCC unroll 16")
#else
#define CRIA_UNROLL
#endif

namespace cria::CRIA_ISA {

/** Vectors of a panel's rows. */
constexpr int vectors = panelRows / LANES;

/** How unpacked groups of a kind lie: steps of 64 bytes (all rows, 4 bytes each), then scales and minima as floats. */
template <Kind kind>
struct Unpacked {
  static constexpr bool widens = !hasNibbles(kind) && bytesWiden;
  static constexpr int steps = widens ? 16 : 8;
  static constexpr int64_t scales = steps * partBytes;
  static constexpr int64_t minima = scales + panelRows * 4;
  static constexpr int64_t bytes = minima + panelRows * 4;
  /** Bytes of a token's activations of one group. */
  static constexpr int64_t activations = steps * 4;
};

/** Activations as a tile reads them. */
struct Activations {
  const int8_t* values;
  const int32_t* offsets;
  float scale;
};

#if defined(__ARM_FEATURE_MATMUL_INT8)

// smmla multiplies 2 x 8 bytes by 8 x 2: two rows, two tokens, eight columns. Two steps of a vector's four rows are
// laid out as eight columns of its first two rows and eight of its last two.
constexpr bool pairsSteps = true;

static inline void pairSteps(uint8_t* group, int steps) {
  for (int step = 0; step < steps; step += 2) {
    for (int v = 0; v < vectors; v++) {
      uint8_t* at = group + step * partBytes + v * LANES * 4;
      const int32x4_t first = vreinterpretq_s32_s8(loadBytes(at));
      const int32x4_t second = vreinterpretq_s32_s8(loadBytes(at + partBytes));
      storeBytes(at, vreinterpretq_s8_s32(vzip1q_s32(first, second)));
      storeBytes(at + partBytes, vreinterpretq_s8_s32(vzip2q_s32(first, second)));
    }
  }
}

#else

constexpr bool pairsSteps = false;
static inline void pairSteps(uint8_t*, int) {}

#endif

#if defined(__ARM_FEATURE_MATMUL_INT8)

/** Products of one unpacked group with some tokens. A token without a neighbour is its own. */
template <Kind kind, int tokens>
static inline void multiplyGroup(const uint8_t* unpacked, const Activations* x, int64_t g,
                                 Integers (&dots)[vectors][tokens]) {
  using U = Unpacked<kind>;
  constexpr int pairs = (tokens + 1) / 2;
  Integers sums[vectors][2][pairs];
  CRIA_UNROLL
  for (int q = 0; q < pairs; q++) {
    const int other = 2 * q + 1 < tokens ? 2 * q + 1 : 2 * q;
    const int32_t offsets[4] = {x[2 * q].offsets[g], x[other].offsets[g], x[2 * q].offsets[g], x[other].offsets[g]};
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      sums[v][0][q] = sums[v][1][q] = kind == Int4 ? vld1q_s32(offsets) : broadcastInteger(0);
    }
  }
  CRIA_UNROLL
  for (int step = 0; step < U::steps; step += 2) {
    Bytes some[pairs];
    CRIA_UNROLL
    for (int q = 0; q < pairs; q++) {
      const int other = 2 * q + 1 < tokens ? 2 * q + 1 : 2 * q;
      const int64_t at = g * U::activations + step * 4;
      some[q] = vcombine_s8(vld1_s8(x[2 * q].values + at), vld1_s8(x[other].values + at));
    }
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      const uint8_t* at = unpacked + step * partBytes + v * LANES * 4;
      CRIA_UNROLL
      for (int q = 0; q < pairs; q++) {
        sums[v][0][q] = vmmlaq_s32(sums[v][0][q], loadBytes(at), some[q]);
        sums[v][1][q] = vmmlaq_s32(sums[v][1][q], loadBytes(at + partBytes), some[q]);
      }
    }
  }
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      const Integers first = sums[v][0][t / 2], second = sums[v][1][t / 2];
      dots[v][t] = t % 2 == 0 ? vuzp1q_s32(first, second) : vuzp2q_s32(first, second);
    }
  }
}

#else

template <bool nibbles>
struct SumOf {
  using Type = ByteSum;
};
template <>
struct SumOf<true> {
  using Type = NibbleSum;
};

/** Products of one unpacked group with some tokens. */
template <Kind kind, int tokens>
static inline void multiplyGroup(const uint8_t* unpacked, const Activations* x, int64_t g,
                                 Integers (&dots)[vectors][tokens]) {
  using U = Unpacked<kind>;
  typename SumOf<hasNibbles(kind)>::Type sums[vectors][tokens];
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      if constexpr (hasNibbles(kind)) sums[v][t] = beginNibbles(kind == Int4 ? x[t].offsets[g] : 0);
      else sums[v][t] = beginUnpacked(x[t].offsets[g]);
    }
  }
  CRIA_UNROLL
  for (int step = 0; step < U::steps; step++) {
    Bytes w[vectors];
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) w[v] = loadBytes(unpacked + step * partBytes + v * LANES * 4);
    CRIA_UNROLL
    for (int t = 0; t < tokens; t++) {
      const Bytes four = broadcastFour(x[t].values + g * U::activations + step * 4);
      CRIA_UNROLL
      for (int v = 0; v < vectors; v++) {
        if constexpr (hasNibbles(kind)) sums[v][t] = addNibbles(sums[v][t], w[v], four);
        else sums[v][t] = addUnpacked(sums[v][t], w[v], four);
      }
    }
  }
  CRIA_UNROLL
  for (int t = 0; t < tokens; t++) {
    CRIA_UNROLL
    for (int v = 0; v < vectors; v++) {
      if constexpr (hasNibbles(kind)) dots[v][t] = endNibbles(sums[v][t], kind == Int4 ? x[t].offsets[g] : 0);
      else dots[v][t] = endBytes(sums[v][t]);
    }
  }
}

#endif

}  // namespace cria::CRIA_ISA
