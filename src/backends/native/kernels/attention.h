// Where keys and values lie in the pages of a cache, and how attention cuts a sequence: agreed by the kernels that
// store, that attend and that take gradients. Of a layer the cache holds, for each page and in it for each kv head,
//   K: [tokens / 16][E][16 tokens], then V: [E / 16][tokens][16 of E],
// with tokens (of K) and E (of V) rounded up to 16. So both products of attention read panels of 16 columns.
#pragma once
#include "kernels.h"

namespace cria::CRIA_ISA {

/** Columns that lie side by side. */
constexpr int64_t panelColumns = 16;
/** Scores that a row has at once, at most. */
constexpr int64_t stretchColumns = 128;
/** Stretches of a range: sums of ranges are made apart, by any thread, and merged in order. */
constexpr int64_t rangeStretches = 8;

static inline int64_t wholePanels(int64_t count) { return ceilingDivide(count, panelColumns) * panelColumns; }

/** The form of a cache of one layer. */
struct CacheForm {
  int64_t kvHeads, width, pageTokens, element;

  /** Scores of a page. */
  int64_t pageColumns() const { return wholePanels(pageTokens); }
  int64_t keyBytes() const { return pageColumns() * width * element; }
  /** Keys and values of one head in a page. */
  int64_t headBytes() const { return keyBytes() + wholePanels(width) * pageTokens * element; }
  int64_t pageOffset(int64_t head, int64_t page) const { return (page * kvHeads + head) * headBytes(); }

  /** A stretch is a number of whole pages, counted from the sequence's first: none where a page has more columns. */
  int64_t stretchPages() const { return stretchColumns / pageColumns(); }
  int64_t rangeTokens() const { return rangeStretches * stretchPages() * pageTokens; }
};

/** Operands 4 and 6 to 8 of every command on a cache. */
static inline CacheForm cacheFormOf(const double* args) {
  return {int64_t(args[4]), int64_t(args[6]), int64_t(args[7]), int64_t(args[8])};
}

}  // namespace cria::CRIA_ISA
