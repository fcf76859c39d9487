// Attention over pages: the formula, and the same bits however a text was cut into chunks, tiles, ranges and threads.
// Pages are filled with bytes that make not-a-numbers before they are used: what was never stored must not be read.
#include <math.h>
#include <string.h>

#include <vector>

#include "../arithmetic.h"
#include "check.h"

using namespace cria;
using namespace cria::CRIA_ISA;
using namespace cria::test;

namespace {

struct Form {
  int64_t queryHeads, kvHeads, width, pageTokens, element, tokens;
  int64_t group() const { return queryHeads / kvHeads; }
  int64_t X() const { return queryHeads * width; }
  int64_t Y() const { return kvHeads * width; }
  int64_t pages() const { return ceilingDivide(tokens, pageTokens); }
};

/** Tokens `first` to `first + count - 1` of a text go into its pages and attend. */
struct Step {
  int64_t first, count, tileTokens;
  bool split;
  int32_t threads;
};

void attend(const Form& form, const float* query, const float* key, const float* value, float* out,
            Buffer<uint8_t>& cache, const std::vector<int32_t>& table, const Step& step) {
  const int64_t range = attentionRange(form.pageTokens);
  std::vector<int32_t> pieces, tiles, merges;
  for (int64_t row = 0; row < step.count;) {
    const int64_t slot = step.first + row, at = slot % form.pageTokens;
    const int64_t count = smaller(form.pageTokens - at, step.count - row);
    pieces.insert(pieces.end(), {int32_t(row), int32_t(count), table[size_t(slot / form.pageTokens)], int32_t(at)});
    row += count;
  }
  int64_t partRows = 0;
  for (int64_t row = 0; row < step.count; row += step.tileTokens) {
    const int64_t count = smaller(step.tileTokens, step.count - row), visible = step.first + row + 1;
    const int64_t ranges = ceilingDivide(visible + count - 1, range);
    const auto tile = [&](int64_t which) {
      tiles.insert(tiles.end(), {int32_t(row), int32_t(count), 0, int32_t(visible), int32_t(which), int32_t(partRows)});
    };
    if (!step.split || ranges == 1) {
      tile(-1);
      continue;
    }
    merges.insert(merges.end(), {int32_t(row), int32_t(count), int32_t(partRows), int32_t(ranges), int32_t(visible)});
    for (int64_t i = 0; i < ranges; i++) {
      tile(i);
      partRows += count * form.group();
    }
  }
  Buffer<int32_t> data(int64_t(table.size() + pieces.size() + tiles.size() + merges.size()));
  int64_t end = 0;
  const auto append = [&](const std::vector<int32_t>& list) {
    const int64_t at = end;
    if (!list.empty()) memcpy(data.data() + at, list.data(), list.size() * 4);
    end += int64_t(list.size());
    return double(at);
  };
  append(table);
  const double piecesAt = append(pieces), tilesAt = append(tiles), mergesAt = append(merges);
  Buffer<uint8_t> parts(form.kvHeads * attentionPartBytes(partRows, form.width));

  const double heads = double(form.kvHeads), group = double(form.group()), width = double(form.width);
  const double pageTokens = double(form.pageTokens), element = double(form.element);
  const double scale = 1.4426950408889634 / sqrt(width);
  // Copies of exactly these rows: reading beyond them is noticed.
  Buffer<float> q(step.count * form.X()), k(step.count * form.Y()), v(step.count * form.Y()), y(step.count * form.X());
  memcpy(q.data(), query + step.first * form.X(), size_t(q.count()) * 4);
  memcpy(k.data(), key + step.first * form.Y(), size_t(k.count()) * 4);
  memcpy(v.data(), value + step.first * form.Y(), size_t(v.count()) * 4);
  run(StoreKeysValues,
      {k.operand(), v.operand(), data.operand(), cache.operand(), heads, group, width, pageTokens, element, piecesAt},
      int64_t(pieces.size()) / 4 * form.kvHeads, step.threads);
  run(Attention,
      {q.operand(), y.operand(), data.operand(), cache.operand(), heads, group, width, pageTokens, element, tilesAt,
       scale, parts.operand()},
      int64_t(tiles.size()) / 6 * form.kvHeads, step.threads);
  run(MergeAttention,
      {q.operand(), y.operand(), data.operand(), cache.operand(), heads, group, width, pageTokens, element, mergesAt,
       scale, parts.operand()},
      int64_t(merges.size()) / 5 * form.kvHeads, step.threads);
  memcpy(out + step.first * form.X(), y.data(), size_t(y.count()) * 4);
}

/** Token `t` by the formula, in double precision. */
void expectRow(const Form& form, const float* query, const float* key, const float* value, const float* out, int64_t t) {
  std::vector<float> expected;
  for (int64_t h = 0; h < form.queryHeads; h++) {
    const int64_t g = h / form.group();
    std::vector<double> mixed(size_t(form.width), 0.0);
    double total = 0;
    for (int64_t s = 0; s <= t; s++) {
      double dot = 0;
      for (int64_t e = 0; e < form.width; e++)
        dot += double(query[t * form.X() + h * form.width + e]) * double(key[s * form.Y() + g * form.width + e]);
      const double weight = exp(dot / sqrt(double(form.width)));
      total += weight;
      for (int64_t e = 0; e < form.width; e++) mixed[size_t(e)] += weight * double(value[s * form.Y() + g * form.width + e]);
    }
    for (const double sum : mixed) expected.push_back(float(sum / total));
  }
  expectClose("attention", out + t * form.X(), expected.data(), form.X(), form.element == 2 ? 2e-3f : 1e-5f);
}

void check(const Form& form) {
  Random random(7);
  Buffer<float> query(form.tokens * form.X()), key(form.tokens * form.Y()), value(form.tokens * form.Y());
  random.fill(query.data(), query.count());
  random.fill(key.data(), key.count());
  random.fill(value.data(), value.count());
  const int64_t pages = form.pages();
  Buffer<uint8_t> cache(2 * pages * pageBytes(form.kvHeads, form.width, form.pageTokens, form.element));
  std::vector<int32_t> table, other;
  for (int64_t i = 0; i < pages; i++) {
    table.push_back(int32_t(2 * (pages - 1 - i)));
    other.push_back(int32_t(2 * i + 1));
  }

  memset(cache.data(), 0xff, size_t(cache.count()));
  Buffer<float> whole(query.count()), chunks(query.count());
  const int64_t tile = attentionTile(form.group(), form.width);
  attend(form, query.data(), key.data(), value.data(), whole.data(), cache, table, {0, form.tokens, tile, false, 3});
  for (int64_t t = 0; t < form.tokens; t += 1 + form.tokens / 11) expectRow(form, query.data(), key.data(), value.data(), whole.data(), t);
  expectRow(form, query.data(), key.data(), value.data(), whole.data(), form.tokens - 1);

  int64_t at = 0;
  for (int32_t i = 0; at < form.tokens; i++) {
    const int64_t chunk = i % 4 == 0 ? 1 + random.below(form.tokens / 2) : 1 + random.below(3);
    const int64_t count = smaller(chunk, form.tokens - at);
    const Step step = {at, count, 1 + random.below(tile), i % 2 == 1, 1 + i % 4};
    attend(form, query.data(), key.data(), value.data(), chunks.data(), cache, other, step);
    at += count;
  }
  expectSame("attention in chunks", chunks.data(), whole.data(), whole.count() * 4);

  // The same page elsewhere, one kv head at a time.
  const double from = double(table[0]), to = double(other[0]);
  const double heads = double(form.kvHeads), group = double(form.group()), width = double(form.width);
  run(CopyPage,
      {from, to, 0, cache.operand(), heads, group, width, double(form.pageTokens), double(form.element)},
      form.kvHeads, 2);
  const Step last = {form.tokens - 1, 1, 1, true, 2};
  attend(form, query.data(), key.data(), value.data(), chunks.data(), cache, other, last);
  expectSame("attention with a copied page", chunks.data(), whole.data(), whole.count() * 4);
}

}  // namespace

CRIA_CASE(attention_halves) {
  check({4, 4, 8, 16, 2, 75});
  check({6, 2, 32, 16, 2, 190});
  check({5, 1, 20, 100, 2, 230});
  check({3, 1, 24, 5, 2, 150});
}

CRIA_CASE(attention_floats) {
  check({6, 2, 128, 16, 4, 75});
  check({8, 8, 40, 128, 4, 300});
  check({12, 2, 12, 33, 4, 333});
}

CRIA_CASE(attention_ranges) {
  check({2, 1, 8, 16, 2, 1100});
  check({1, 1, 12, 64, 4, 1040});
}
