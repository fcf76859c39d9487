// Grouped-query attention over pages: a unit is a tile of a few tokens of one sequence with one kv head, so that the
// query heads of a group and the tokens share each load of keys and values. Every query row runs its own online
// softmax (Milakov & Gimelshein 2018; Dao et al. 2022) over stretches of slots counted from slot 0, the same whatever
// else is in the tile: slots that a row may not see enter with probability 0. Stretches are gathered in ranges; what
// ranges gave is merged in order, at once or, where ranges are split among threads, by MergeAttention.
#include <math.h>

#include "attention.h"
#include "vector.h"

namespace cria::CRIA_ISA {


namespace {

/** Vectors of a panel. */
constexpr int panelVectors = panelColumns / LANES;
/** Rows of one product: their sums stay in registers. */
constexpr int productRows = LANES == 16 ? 12 : LANES == 1 ? 1 : 6;
/** So many ints describe a tile and a merge. */
constexpr int64_t tileFields = 6;
constexpr int64_t mergeFields = 5;

inline Vector loadElements(const float* p) { return load(p); }
inline Vector loadElements(const uint16_t* p) { return loadHalves(p); }

/** Panels whose products go into the same sums, and the columns of x that belong to each. */
template <class Element>
struct Panels {
  const Element* panel[stretchColumns / panelColumns];
  /** What will be read next, as long as each panel: fetched meanwhile. */
  const Element* ahead[stretchColumns / panelColumns];
  int64_t count;
  /** Lines of each panel, and of the last one. */
  int64_t depth, lastDepth;
  /** Columns of x from one panel's first to the next one's. */
  int64_t step;
};

/**
 * `y[r][0..15] = y[r][0..15] * shrink[r] + sum_k x[r][k] * panel[k][0..15]` for R rows, k ascending; without `shrink`
 * the sums start at 0.
 */
template <int R, class Element>
void productOf(const float* x, int64_t xStride, const Panels<Element>& panels, float* y, int64_t yStride,
               const float* shrink) {
  Vector sums[R][panelVectors];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
    for (int v = 0; v < panelVectors; v++) {
      sums[r][v] = shrink ? mul(load(y + r * yStride + v * LANES), broadcast(shrink[r])) : zero();
    }
  }
  for (int64_t i = 0; i < panels.count; i++) {
    const Element* line = panels.panel[i];
    const Element* ahead = panels.ahead[i];
    const float* column = x + i * panels.step;
    const float* end = column + (i + 1 < panels.count ? panels.depth : panels.lastDepth);
    for (; column < end; column++, line += panelColumns, ahead += panelColumns) {
      __builtin_prefetch(ahead);
      Vector elements[panelVectors];
#pragma GCC unroll 16
      for (int v = 0; v < panelVectors; v++) elements[v] = loadElements(line + v * LANES);
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        const Vector factor = broadcast(column[r * xStride]);
#pragma GCC unroll 16
        for (int v = 0; v < panelVectors; v++) sums[r][v] = fma(factor, elements[v], sums[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 16
    for (int v = 0; v < panelVectors; v++) store(y + r * yStride + v * LANES, sums[r][v]);
  }
}

/** The same for any number of rows, in products of nearly equal height. */
template <class Element>
void products(int64_t rows, const float* x, int64_t xStride, const Panels<Element>& panels, float* y,
              int64_t yStride, const float* shrink) {
  for (int64_t left = rows; left > 0;) {
    const int64_t height = ceilingDivide(left, ceilingDivide(left, productRows));
    switch (height) {
      case 1: productOf<1>(x, xStride, panels, y, yStride, shrink); break;
#define CRIA_HEIGHT(R) \
  case R: \
    if constexpr (R <= productRows) productOf<R>(x, xStride, panels, y, yStride, shrink); \
    break;
      CRIA_HEIGHT(2) CRIA_HEIGHT(3) CRIA_HEIGHT(4) CRIA_HEIGHT(5) CRIA_HEIGHT(6)
      CRIA_HEIGHT(7) CRIA_HEIGHT(8) CRIA_HEIGHT(9) CRIA_HEIGHT(10) CRIA_HEIGHT(11) CRIA_HEIGHT(12)
#undef CRIA_HEIGHT
    }
    x += height * xStride;
    y += height * yStride;
    if (shrink) shrink += height;
    left -= height;
  }
}

/** Rows of a tile, unless one token alone has more. */
constexpr int64_t tileRows = 32;

/** Sums of rows over some slots: `sums[r] / total[r]` is their attention, and all of it is relative to 2^maximum. */
struct RowSums {
  float* maximum;
  float* total;
  float* sums;
};

/** How many floats the sums of `rows` rows are. */
inline int64_t rowSumsSize(int64_t rows, int64_t columns) { return rows * (columns + 2); }

inline RowSums rowSumsAt(float* memory, int64_t rows) { return {memory, memory + rows, memory + 2 * rows}; }

inline int64_t scratchOf(int64_t rows, int64_t width) {
  return 4 * (rows * (width + stretchColumns + 1) + 2 * rowSumsSize(rows, wholePanels(width)));
}

/** Some tokens of one sequence with the query heads of one kv head. */
class Tile {
 public:
  Tile(const double* args, int64_t unit, Thread& thread)
      : form_(cacheFormOf(args)),
        columns_(wholePanels(form_.width)),
        group_(int64_t(args[5])),
        kvHead_(unit % form_.kvHeads),
        data_(pointer<int32_t>(args[2])) {
    const int32_t* tile = data_ + int64_t(args[9]) + unit / form_.kvHeads * tileFields;
    first_ = tile[0];
    tokens_ = tile[1];
    table_ = data_ + tile[2];
    visible_ = tile[3];
    range_ = tile[4];
    rows_ = tokens_ * group_;
    stride_ = form_.kvHeads * group_ * form_.width;
    const int64_t offset = first_ * stride_ + kvHead_ * group_ * form_.width;
    query_ = pointer<float>(args[0]) + offset;
    target_ = pointer<float>(args[1]) + offset;
    pages_ = pointer<uint8_t>(args[3]);
    scale_ = float(args[10]);
    const int64_t size = rowSumsSize(rows_, columns_);
    part_ = pointer<float>(args[11]) + rowSumsSize(tile[5] * form_.kvHeads + kvHead_ * rows_, columns_);
    float* memory = reinterpret_cast<float*>(thread.scratch);
    queries_ = memory;
    scores_ = queries_ + rows_ * form_.width;
    shrink_ = scores_ + rows_ * stretchColumns;
    inRange_ = rowSumsAt(shrink_ + rows_, rows_);
    all_ = rowSumsAt(shrink_ + rows_ + size, rows_);
  }

  void attend() {
    if (form_.element == 2) attendTo<uint16_t>();
    else attendTo<float>();
  }

 private:
  template <class Element>
  void attendTo() {
    for (int64_t r = 0; r < rows_; r++) {
      const float* query = query_ + r / group_ * stride_ + r % group_ * form_.width;
      for (int64_t e = 0; e < form_.width; e++) queries_[r * form_.width + e] = query[e] * scale_;
    }
    const int64_t last = visible_ + tokens_ - 1, width = form_.rangeTokens();
    if (range_ >= 0) {
      inRange_ = rowSumsAt(part_, rows_);
      attendRange<Element>(range_ * width, smaller((range_ + 1) * width, last));
      return;
    }
    for (int64_t from = 0; from < last; from += width) {
      // What one range gave is the whole; only a further one needs merging.
      attendRange<Element>(from, smaller(from + width, last));
      if (from == 0) {
        const RowSums firstRange = inRange_;
        inRange_ = all_;
        all_ = firstRange;
      } else {
        for (int64_t r = 0; r < rows_; r++)
          if (visible_ + r / group_ > from) mergeRow(all_, inRange_, r, columns_);
      }
    }
    for (int64_t r = 0; r < rows_; r++) {
      writeRow(all_, r, columns_, target_ + r / group_ * stride_ + r % group_ * form_.width, form_.width);
    }
  }

  template <class Element>
  void attendRange(int64_t from, int64_t to) {
    for (int64_t r = 0; r < rows_; r++) {
      inRange_.maximum[r] = -INFINITY;
      inRange_.total[r] = 0;
    }
    memset(inRange_.sums, 0, size_t(rows_ * columns_) * 4);
    const int64_t width = form_.stretchPages() * form_.pageTokens;
    for (int64_t start = from; start < to; start += width) {
      attendStretch<Element>(start, smaller(width, to - start));
    }
  }

  /** Slots start .. start + count - 1: scores, probabilities, sums. */
  template <class Element>
  void attendStretch(int64_t start, int64_t count) {
    const int64_t pageTokens = form_.pageTokens, pageColumns = form_.pageColumns();
    const int32_t* table = table_ + start / pageTokens;
    const int64_t pages = ceilingDivide(count, pageTokens);
    const Element* keys[stretchColumns / panelColumns];
    for (int64_t i = 0; i < pages; i++) {
      keys[i] = reinterpret_cast<const Element*>(pages_ + form_.pageOffset(kvHead_, table[i]));
      const int64_t tokens = smaller(pageTokens, count - i * pageTokens);
      for (int64_t at = 0; at < tokens; at += panelColumns) {
        const Element* panel = keys[i] + at * form_.width;
        const Panels<Element> panels = {{panel}, {panel + pageColumns * form_.width}, 1, 0, form_.width, 0};
        products(rows_, queries_, form_.width, panels, scores_ + i * pageColumns + at, stretchColumns,
                 static_cast<const float*>(nullptr));
      }
    }
    for (int64_t r = 0; r < rows_; r++) softmaxRow(r, count, visible_ + r / group_ - start);
    const int64_t more = smaller(ceilingDivide(visible_ + tokens_ - 1, pageTokens) - start / pageTokens - pages, pages);
    const Element* next[stretchColumns / panelColumns];
    for (int64_t i = 0; i < more; i++) next[i] = reinterpret_cast<const Element*>(pages_ + form_.pageOffset(kvHead_, table[pages + i]));
    Panels<Element> panels = {{}, {}, pages, pageTokens, count - (pages - 1) * pageTokens, pageColumns};
    for (int64_t at = 0; at < columns_; at += panelColumns) {
      for (int64_t i = 0; i < pages; i++) {
        panels.panel[i] = keys[i] + pageColumns * form_.width + at * pageTokens;
        panels.ahead[i] = (i < more ? next[i] : keys[i]) + at * pageTokens;
      }
      products(rows_, scores_, stretchColumns, panels, inRange_.sums + at, columns_, shrink_);
    }
  }

  /** Scores of row r become probabilities relative to its largest score so far; those of slots from `seen` on become 0. */
  void softmaxRow(int64_t r, int64_t count, int64_t seen) {
    float* scores = scores_ + r * stretchColumns;
    const int64_t pageTokens = form_.pageTokens, pageColumns = form_.pageColumns();
    const int64_t pages = ceilingDivide(count, pageTokens);
    if (seen <= 0) {
      memset(scores, 0, size_t(pages * pageColumns) * 4);
      shrink_[r] = 1;
      return;
    }
    const float before = inRange_.maximum[r];
    const Vector lowest = broadcast(-INFINITY);
    Vector largest = broadcast(before);
    for (int64_t i = 0; i < pages; i++) {
      const int64_t visible = smaller(pageTokens, seen - i * pageTokens);
      for (int64_t c = 0; c < pageColumns; c += LANES) {
        float* at = scores + i * pageColumns + c;
        const Vector score = firstLanes(load(at), int(larger(visible - c, int64_t(-1))), lowest);
        store(at, score);
        largest = maximum(score, largest);
      }
    }
    const float maximumNow = largestOf(largest);
    const Vector base = broadcast(maximumNow);
    Vector total = zero();
    for (int64_t c = 0; c < pages * pageColumns; c += LANES) {
      const Vector probability = exponential2(sub(load(scores + c), base));
      total = add(total, probability);
      store(scores + c, probability);
    }
    shrink_[r] = difference2(before, maximumNow);
    inRange_.total[r] = inRange_.total[r] * shrink_[r] + sumOf(total);
    inRange_.maximum[r] = maximumNow;
  }

 public:
  /** 2^(a - b), with 0 for the maximum of no score. */
  static float difference2(float a, float b) {
    float lanes[LANES];
    store(lanes, exponential2(broadcast(a - b)));
    return lanes[0];
  }

  /** Row r of `to` takes in that of `from`. */
  static void mergeRow(RowSums to, RowSums from, int64_t r, int64_t columns) {
    const float largest = larger(to.maximum[r], from.maximum[r]);
    const float keep = difference2(to.maximum[r], largest), take = difference2(from.maximum[r], largest);
    to.maximum[r] = largest;
    to.total[r] = to.total[r] * keep + from.total[r] * take;
    float* sums = to.sums + r * columns;
    const float* more = from.sums + r * columns;
    for (int64_t c = 0; c < columns; c += LANES) {
      store(sums + c, fma(load(more + c), broadcast(take), mul(load(sums + c), broadcast(keep))));
    }
  }

  static void writeRow(RowSums all, int64_t r, int64_t columns, float* target, int64_t width) {
    const float total = all.total[r];
    const float* sums = all.sums + r * columns;
    for (int64_t e = 0; e < width; e++) target[e] = sums[e] / total;
  }

 private:
  const CacheForm form_;
  const int64_t columns_, group_, kvHead_;
  const int32_t* data_;
  const int32_t* table_;
  int64_t first_, tokens_, visible_, range_, rows_, stride_;
  const float* query_;
  float* target_;
  const uint8_t* pages_;
  float scale_;
  float* part_;
  float* queries_;
  float* scores_;
  float* shrink_;
  RowSums inRange_, all_;
};

}  // namespace

int64_t attentionTile(int64_t group, int64_t headWidth) {
  for (int64_t tokens = larger(tileRows / group, int64_t(1)); tokens > 0; tokens--)
    if (scratchOf(tokens * group, headWidth) <= scratchBytes) return tokens;
  return 0;
}

int64_t attentionRange(int64_t pageTokens) { return CacheForm{1, 1, pageTokens, 2}.rangeTokens(); }

int64_t attentionPartBytes(int64_t rows, int64_t headWidth) { return 4 * rowSumsSize(rows, wholePanels(headWidth)); }

/**
 * Operands: query, out, data, pages of the layer, kv heads, heads of a group, head width, page tokens, bytes of an
 * element, where the tiles are in data, log2(e) / sqrt(E), parts. A tile: first row, rows, where its page table is in
 * data, visible slots of its first row, range or -1 for all of them, query rows of parts before its own.
 * Unit: tile x kv head.
 */
void Attention(const double* args, int64_t begin, int64_t end, Thread& thread) {
  for (int64_t unit = begin; unit < end; unit++) Tile(args, unit, thread).attend();
}

/**
 * Operands as Attention's; where the merges are in data instead of the tiles. A merge: first row, rows, query rows of
 * parts before its own, its parts, visible slots of its first row. Unit: merge x kv head.
 */
void MergeAttention(const double* args, int64_t begin, int64_t end, Thread&) {
  const CacheForm form = cacheFormOf(args);
  const int64_t columns = wholePanels(form.width), group = int64_t(args[5]);
  const int64_t stride = form.kvHeads * group * form.width;
  for (int64_t unit = begin; unit < end; unit++) {
    const int32_t* merge = pointer<int32_t>(args[2]) + int64_t(args[9]) + unit / form.kvHeads * mergeFields;
    const int64_t kvHead = unit % form.kvHeads, rows = merge[1] * group;
    float* parts = pointer<float>(args[11]) + rowSumsSize(merge[2] * form.kvHeads + kvHead * rows, columns);
    const int64_t next = rowSumsSize(rows * form.kvHeads, columns);
    const RowSums all = rowSumsAt(parts, rows);
    for (int64_t i = 1; i < merge[3]; i++) {
      const RowSums part = rowSumsAt(parts + i * next, rows);
      for (int64_t r = 0; r < rows; r++) {
        if (merge[4] + r / group > i * form.rangeTokens()) Tile::mergeRow(all, part, r, columns);
      }
    }
    for (int64_t r = 0; r < rows; r++) {
      float* target = pointer<float>(args[1]) + (merge[0] + r / group) * stride;
      Tile::writeRow(all, r, columns, target + (kvHead * group + r % group) * form.width, form.width);
    }
  }
}

}  // namespace cria::CRIA_ISA
