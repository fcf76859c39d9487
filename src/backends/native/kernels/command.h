// What kernels and the thread pool agree on: the form of a command, a thread, kinds of weight, sizes.
#pragma once

#include <stdint.h>

namespace cria {

/** The thread that runs a part of a command. */
struct Thread {
  int32_t index;
  int32_t count;
  /** Memory of this thread alone: scratchBytes, aligned to 64. What was in it is lost between calls. */
  uint8_t* scratch;
};

constexpr int64_t scratchBytes = 1 << 20;

/**
 * Does units `begin` to `end` of a command; threads claim ranges of units until none is left, and the next command begins
 * when all units of this one are done. `args` are the command's operands; addresses are doubles too. The result may
 * not depend on how the units were cut into ranges.
 */
using Command = void (*)(const double* args, int64_t begin, int64_t end, Thread& thread);

/** Kinds of weight, in the order of `weightKinds` in weights/kind.ts. */
enum Kind { F32, F16, BF16, Int8, Int8Channel, Int4, Int4Min, kindCount };

constexpr bool isInteger(int64_t kind) { return kind >= Int8; }

/** Values along K that share one scale in the grouped kinds. */
constexpr int64_t groupSize = 32;

/** What the recorder of commands asks the kernels of one instruction set. All sizes are bytes. */
struct Layout {
  /** A weight as PackInt or PackDense leaves it. */
  int64_t (*packedBytes)(int64_t kind, int64_t rows, int64_t columns);
  /** Units of PackInt or PackDense for `count` rows from row `first` on. */
  int64_t (*packUnits)(int64_t kind, int64_t first, int64_t count);
  /** Activations as LinearInt or LinearDense wants them; 0 where it takes them as they are. */
  int64_t (*formBytes)(int64_t kind, int64_t tokens, int64_t columns);
  /** Units of QuantizeRows or FormDense. */
  int64_t (*formUnits)(int64_t kind, int64_t tokens);
  /** Units of LinearInt or LinearDense. */
  int64_t (*linearUnits)(int64_t kind, int64_t tokens, int64_t rows, int64_t columns);
  /** `rows` rows of a weight as PackInputGradient leaves them. */
  int64_t (*inputGradientBytes)(int64_t rows, int64_t columns);
  /** Units of PackInputGradient. */
  int64_t (*inputGradientPackUnits)(int64_t rows);
  /** Units of LinearInputGradient. */
  int64_t (*inputGradientUnits)(int64_t tokens, int64_t columns);
  /** How many tokens PackWeightGradient and LinearWeightGradient should do at once. */
  int64_t (*weightGradientTokens)(int64_t rows, int64_t columns);
  /** What PackWeightGradient leaves. */
  int64_t (*weightGradientBytes)(int64_t tokens, int64_t rows, int64_t columns);
  /** Units of PackWeightGradient. */
  int64_t (*weightGradientPackUnits)(int64_t tokens);
  /** Units of LinearWeightGradient. */
  int64_t (*weightGradientUnits)(int64_t rows, int64_t columns);
  /** Units of RmsNormGradient. */
  int64_t (*rmsNormGradientUnits)(int64_t rows);
  /** One layer's keys and values in a page of the cache; `element` is 2 or 4. */
  int64_t (*pageBytes)(int64_t kvHeads, int64_t headWidth, int64_t pageTokens, int64_t element);
  /** Tokens of a tile of Attention; 0 where a group of so many heads is too wide for it. */
  int64_t (*attentionTile)(int64_t group, int64_t headWidth);
  /** Tokens of a range of Attention; 0 where pages are too large for it. */
  int64_t (*attentionRange)(int64_t pageTokens);
  /** What Attention leaves for MergeAttention of so many query rows of a range. */
  int64_t (*attentionPartBytes)(int64_t rows, int64_t headWidth);
};

}  // namespace cria
