// Float kinds: packing and decoding give the values back; products and their gradients follow their formulas; a token's
// result has the same bits in every batch, and every result by any threads.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "../panels.h"
#include "check.h"

using namespace cria;
using namespace cria::CRIA_ISA;
using namespace cria::test;

namespace {

const char* const kindNames[] = {"f32", "f16", "bf16"};
const Kind floatKinds[] = {F32, F16, BF16};

struct Weight {
  Kind kind;
  int64_t rows, columns;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
};

Weight makeWeight(Kind kind, int64_t rows, int64_t columns, Random& random) {
  Weight w{kind, rows, columns, {}, {}};
  for (int64_t i = 0; i < rows * columns; i++) {
    const float value = random.uniform();
    const uint16_t half = kind == F16 ? floatToHalf(value) : uint16_t(bitsOfFloat(value) >> 16);
    const uint8_t* from = kind == F32 ? reinterpret_cast<const uint8_t*>(&value) : reinterpret_cast<const uint8_t*>(&half);
    w.bytes.insert(w.bytes.end(), from, from + (kind == F32 ? 4 : 2));
    w.values.push_back(kind == F32 ? value : kind == F16 ? halfToFloat(half) : bfloatToFloat(half));
  }
  return w;
}

/** Packs in several pieces, as rows come from a file. */
void pack(const Weight& w, Buffer<uint8_t>& packed, Random& random, int32_t threads) {
  const int64_t rowBytes = w.columns * (w.kind == F32 ? 4 : 2);
  for (int64_t first = 0; first < w.rows;) {
    const int64_t count = 1 + random.below(w.rows - first);
    Buffer<uint8_t> piece(count * rowBytes);
    memcpy(piece.data(), w.bytes.data() + first * rowBytes, size_t(count * rowBytes));
    run(PackDense,
        {piece.operand(), packed.operand(), double(first), double(count), double(w.rows), double(w.columns),
         double(w.kind)},
        packUnitsDense(w.kind, first, count), threads, random.bits());
    first += count;
  }
}

void multiply(const Weight& w, Buffer<uint8_t>& packed, Buffer<float>& x, int64_t tokens, Buffer<float>& y,
              int32_t threads, uint64_t seed) {
  run(LinearDense,
      {x.operand(), packed.operand(), y.operand(), double(tokens), double(w.rows), double(w.columns), double(w.kind)},
      linearUnitsDense(w.kind, tokens, w.rows, w.columns), threads, seed);
}

void checkProducts(Kind kind, int64_t rows, int64_t columns, int64_t tokens, int32_t threads) {
  Random random{uint64_t(kind * 1000 + rows * 7 + columns + tokens * 3 + threads)};
  const Weight w = makeWeight(kind, rows, columns, random);
  Buffer<uint8_t> packed(packedBytesDense(kind, rows, columns));
  pack(w, packed, random, threads);
  Buffer<float> x(tokens * columns), y(tokens * rows);
  random.fill(x.data(), x.count());
  multiply(w, packed, x, tokens, y, threads, random.bits());
  std::vector<float> expected;
  for (int64_t t = 0; t < tokens; t++) {
    for (int64_t n = 0; n < rows; n++) {
      double sum = 0;
      for (int64_t k = 0; k < columns; k++) sum += double(x[t * columns + k]) * double(w.values[size_t(n * columns + k)]);
      expected.push_back(float(sum));
    }
  }
  char what[96];
  snprintf(what, sizeof what, "%s [%d, %d], %d tokens, %d threads", kindNames[kind], int(rows), int(columns), int(tokens),
           threads);
  expectClose(what, y.data(), expected.data(), y.count(), 2e-7f * sqrtf(float(columns)));
  for (int64_t t = 0; t < tokens; t += 1 + tokens / 20) {
    Buffer<float> alone(columns), one(rows);
    memcpy(alone.data(), x.data() + t * columns, size_t(columns) * 4);
    multiply(w, packed, alone, 1, one, 1, random.bits());
    expectSame(what, y.data() + t * rows, one.data(), rows * 4);
  }
}

/** Gradients of x and of the weight; by one thread, then by several. */
void checkGradients(Kind kind, int64_t tokens, int64_t rows, int64_t columns, bool plain) {
  Random random{uint64_t(kind * 1000 + rows * 7 + columns + tokens * 3)};
  const Weight w = makeWeight(kind, rows, columns, random);
  Buffer<uint8_t> packed(packedBytesDense(kind, rows, columns)), rowsOfFloats(int64_t(w.bytes.size()));
  pack(w, packed, random, 1);
  memcpy(rowsOfFloats.data(), w.bytes.data(), w.bytes.size());
  Buffer<float> dy(tokens * rows), x(tokens * columns), dx(tokens * columns), dw(rows * columns);
  random.fill(dy.data(), dy.count());
  random.fill(x.data(), x.count());
  std::vector<float> expectedInput(size_t(dx.count())), before(size_t(dw.count()));
  for (float& value : before) value = random.uniform();
  std::vector<float> expectedWeight = before;
  for (int64_t t = 0; t < tokens; t++) {
    for (int64_t k = 0; k < columns; k++) {
      double sum = 0;
      for (int64_t n = 0; n < rows; n++) sum += double(dy[t * rows + n]) * double(w.values[size_t(n * columns + k)]);
      expectedInput[size_t(t * columns + k)] = float(sum);
    }
  }
  for (int64_t n = 0; n < rows; n++) {
    for (int64_t k = 0; k < columns; k++) {
      double sum = double(before[size_t(n * columns + k)]);
      for (int64_t t = 0; t < tokens; t++) sum += double(dy[t * rows + n]) * double(x[t * columns + k]);
      expectedWeight[size_t(n * columns + k)] = float(sum);
    }
  }
  char what[96];
  snprintf(what, sizeof what, "%s %d tokens, [%d, %d]%s", kindNames[kind], int(tokens), int(rows), int(columns),
           plain ? ", plain rows" : "");
  std::vector<float> first;
  for (int32_t threads : {1, 2, 4}) {
    // The rows come in two packs, as those of large weights do.
    const int64_t cut = rows > 20 ? 16 : rows;
    for (int64_t from = 0; from < rows; from += cut) {
      const int64_t count = from == 0 ? cut : rows - from;
      Buffer<uint8_t> panels(inputGradientBytes(count, columns));
      run(PackInputGradient,
          {plain ? rowsOfFloats.operand() : packed.operand(), panels.operand(), double(rows), double(columns),
           double(kind), double(from), double(count), plain ? 0.0 : 1.0},
          inputGradientPackUnits(count), threads, random.bits());
      run(LinearInputGradient,
          {dy.operand() + double(from) * 4, double(rows), panels.operand(), dx.operand(), double(tokens), double(count),
           double(columns), from == 0 ? 0.0 : 1.0},
          inputGradientUnits(tokens, columns), threads, random.bits());
      if (from > 0) break;
    }
    memcpy(dw.data(), before.data(), before.size() * 4);
    const int64_t atOnce = tokens > 300 ? 256 : tokens;
    for (int64_t from = 0; from < tokens; from += atOnce) {
      const int64_t count = smaller(atOnce, tokens - from);
      Buffer<uint8_t> panels(weightGradientBytes(count, rows, columns));
      run(PackWeightGradient,
          {dy.operand() + double(from * rows) * 4, x.operand() + double(from * columns) * 4, panels.operand(),
           double(count), double(rows), double(columns)},
          weightGradientPackUnits(count), threads, random.bits());
      run(LinearWeightGradient,
          {panels.operand(), dw.operand(), double(count), double(rows), double(columns)},
          weightGradientUnits(rows, columns), threads, random.bits());
    }
    if (first.empty()) {
      expectClose(what, dx.data(), expectedInput.data(), dx.count(), 2e-7f * sqrtf(float(rows)));
      expectClose(what, dw.data(), expectedWeight.data(), dw.count(), 2e-7f * sqrtf(float(tokens)));
      first.assign(dx.data(), dx.data() + dx.count());
      first.insert(first.end(), dw.data(), dw.data() + dw.count());
    } else {
      expectSame(what, dx.data(), first.data(), dx.count() * 4);
      expectSame(what, dw.data(), first.data() + dx.count(), dw.count() * 4);
    }
  }
}

}  // namespace

CRIA_CASE(dense_rows_come_back) {
  for (Kind kind : floatKinds) {
    for (int64_t rows : {1, 16, 37}) {
      Random random{uint64_t(rows)};
      const Weight w = makeWeight(kind, rows, 45, random);
      Buffer<uint8_t> packed(packedBytesDense(kind, rows, 45));
      pack(w, packed, random, 2);
      for (int64_t row = 0; row < rows; row++) {
        Buffer<float> decoded(45);
        decodeRowDense(kind, packed.data(), rows, 45, row, decoded.data());
        expectSame(kindNames[kind], decoded.data(), w.values.data() + row * 45, 45 * 4);
      }
    }
  }
}

CRIA_CASE(dense_products) {
  for (Kind kind : floatKinds) {
    for (int32_t threads : {1, 2, 3, 4}) checkProducts(kind, 150, 77, 17, threads);
    for (int64_t tokens : {1, 2, 3, 5, 6, 7, 13, 14, 15, 29}) checkProducts(kind, 21, 64, tokens, 2);
    for (int64_t rows : {1, 15, 16, 17, 31, 32, 33, 65, 129}) checkProducts(kind, rows, 32, 3, 1);
    for (int64_t columns : {1, 7, 8, 9, 255, 256, 257, 700}) checkProducts(kind, 40, columns, 8, 1);
    checkProducts(kind, 300, 70, 400, 4);
  }
}

CRIA_CASE(dense_gradients) {
  for (Kind kind : floatKinds) checkGradients(kind, 23, 37, 50, false);
  for (int64_t rows : {1, 6, 14, 33, 130}) checkGradients(F32, 20, rows, 35, true);
  for (int64_t columns : {1, 16, 31, 300}) checkGradients(F32, 9, 25, columns, true);
  for (int64_t tokens : {1, 31, 33, 257, 600}) checkGradients(F32, tokens, 29, 41, true);
  checkGradients(F32, 500, 400, 300, true);
}
