// Integer kinds: packing and decoding give the values back, quantization follows its formula to the bit, products
// follow the contract within rounding, and a token's result has the same bits in every batch, by any threads.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "../arithmetic.h"
#include "../int-layout.h"
#include "check.h"

using namespace cria;
using namespace cria::CRIA_ISA;
using namespace cria::test;

namespace {

const char* const kindNames[] = {"f32", "f16", "bf16", "int8", "int8-channel", "int4", "int4-min"};
const Kind integerKinds[] = {Int8, Int8Channel, Int4, Int4Min};

/** A weight in the layout of files, with what its numbers mean, found out by other code than the kernels'. */
struct Weight {
  Kind kind;
  int64_t rows, columns, rowBytes;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> integers;
  std::vector<float> scales, minima;

  float value(int64_t row, int64_t k) const {
    const size_t group = size_t(row * (columns / 32) + k / 32);
    const float scaled = float(integers[size_t(row * columns + k)]) * scales[group];
    return kind == Int4Min ? scaled + minima[group] : scaled;
  }
};

uint16_t randomHalf(Random& random, bool positive) {
  return uint16_t(floatToHalf(0.001f + 0.1f * fabsf(random.uniform())) | (!positive && random.below(2) ? 0x8000 : 0));
}

/** `extreme`: the largest values of the kind everywhere, where sums are the largest. */
Weight makeWeight(Kind kind, int64_t rows, int64_t columns, Random& random, bool extreme = false) {
  Weight w{kind, rows, columns, 0, {}, {}, {}, {}};
  for (int64_t row = 0; row < rows; row++) {
    const size_t start = w.bytes.size();
    const auto put = [&](const void* from, size_t bytes) {
      w.bytes.insert(w.bytes.end(), static_cast<const uint8_t*>(from), static_cast<const uint8_t*>(from) + bytes);
    };
    const float rowScale = 0.01f * random.uniform();
    if (kind == Int8Channel) put(&rowScale, 4);
    for (int64_t g = 0; g < columns / 32; g++) {
      const uint16_t scale = randomHalf(random, false), minimum = randomHalf(random, false);
      if (kind != Int8Channel) put(&scale, 2);
      if (kind == Int4Min) put(&minimum, 2);
      w.scales.push_back(kind == Int8Channel ? rowScale : halfToFloat(scale));
      w.minima.push_back(kind == Int4Min ? halfToFloat(minimum) : 0);
      uint8_t values[32];
      for (uint8_t& value : values) {
        value = uint8_t(random.below(256));
        if (extreme) value = kind >= Int4 ? (row % 2 ? 0xff : 0) : (row % 2 ? 127 : 128);
      }
      put(values, kind >= Int4 ? 16 : 32);
      for (int i = 0; i < 32; i++) {
        if (kind < Int4) w.integers.push_back(int8_t(values[i]));
        else w.integers.push_back((i < 16 ? values[i] & 15 : values[i - 16] >> 4) - (kind == Int4 ? 8 : 0));
      }
    }
    w.rowBytes = int64_t(w.bytes.size() - start);
  }
  return w;
}

/** Packs in several pieces, as rows come from a file. */
void pack(const Weight& w, Buffer<uint8_t>& packed, Random& random, int32_t threads) {
  for (int64_t first = 0; first < w.rows;) {
    const int64_t count = 1 + random.below(w.rows - first);
    Buffer<uint8_t> piece(count * w.rowBytes);
    memcpy(piece.data(), w.bytes.data() + first * w.rowBytes, size_t(count * w.rowBytes));
    run(PackInt,
        {piece.operand(), packed.operand(), double(first), double(count), double(w.rows), double(w.columns),
         double(w.kind)},
        packUnitsInt(w.kind, first, count), threads, random.bits());
    first += count;
  }
}

struct Quantized {
  std::vector<int32_t> q;
  float scale;
};

/** The contract's formula, every step in float32. */
Quantized quantize(const float* x, int64_t columns) {
  volatile float largest = 0;
  for (int64_t k = 0; k < columns; k++) largest = fmaxf(largest, fabsf(x[k]));
  volatile float inverse = largest == 0 ? 0 : 127.0f / largest;
  Quantized result{{}, largest / 127.0f};
  for (int64_t k = 0; k < columns; k++) {
    volatile float scaled = x[k] * inverse;
    result.q.push_back(int32_t(nearbyintf(scaled)));
  }
  return result;
}

std::vector<float> expectedProducts(const Weight& w, const std::vector<Quantized>& x) {
  std::vector<float> y;
  for (const Quantized& token : x) {
    for (int64_t row = 0; row < w.rows; row++) {
      double sum = 0;
      for (int64_t g = 0; g < w.columns / 32; g++) {
        int64_t dot = 0, total = 0;
        for (int64_t k = g * 32; k < g * 32 + 32; k++) {
          dot += int64_t(w.integers[size_t(row * w.columns + k)]) * token.q[size_t(k)];
          total += token.q[size_t(k)];
        }
        const size_t group = size_t(row * (w.columns / 32) + g);
        sum += double(w.scales[group]) * double(dot) + double(w.minima[group]) * double(total);
      }
      y.push_back(float(sum * double(token.scale)));
    }
  }
  return y;
}

void quantizeRows(Buffer<float>& x, Buffer<uint8_t>& records, int64_t tokens, int64_t columns, int32_t threads) {
  run(QuantizeRows, {x.operand(), records.operand(), double(tokens), double(columns)}, formUnitsInt(tokens), threads);
}

void multiply(const Weight& w, Buffer<uint8_t>& packed, Buffer<uint8_t>& records, int64_t tokens, Buffer<float>& y,
              int32_t threads, uint64_t seed) {
  run(LinearInt,
      {records.operand(), packed.operand(), y.operand(), double(tokens), double(w.rows), double(w.columns),
       double(w.kind)},
      linearUnitsInt(w.kind, tokens, w.rows, w.columns), threads, seed);
}

void checkProducts(Kind kind, int64_t rows, int64_t columns, int64_t tokens, int32_t threads, bool extreme) {
  Random random{uint64_t(kind * 1000 + rows * 7 + columns + tokens * 3 + threads)};
  const Weight w = makeWeight(kind, rows, columns, random, extreme);
  Buffer<uint8_t> packed(packedBytesInt(kind, rows, columns));
  pack(w, packed, random, threads);

  Buffer<float> x(tokens * columns);
  random.fill(x.data(), x.count());
  if (extreme) {
    for (int64_t i = 0; i < x.count(); i++) x[i] = i / columns % 2 ? 1.0f : -1.0f;
  }
  std::vector<Quantized> quantized;
  for (int64_t t = 0; t < tokens; t++) quantized.push_back(quantize(x.data() + t * columns, columns));
  Buffer<uint8_t> records(formBytesInt(tokens, columns));
  quantizeRows(x, records, tokens, columns, threads);

  Buffer<float> y(tokens * rows);
  multiply(w, packed, records, tokens, y, threads, random.bits());
  char what[96];
  snprintf(what, sizeof what, "%s [%d, %d], %d tokens, %d threads", kindNames[kind], int(rows), int(columns),
           int(tokens), threads);
  expectClose(what, y.data(), expectedProducts(w, quantized).data(), y.count(), 1e-6f * sqrtf(float(columns)));

  for (int64_t t = 0; t < tokens; t++) {
    Buffer<float> alone(columns), one(rows);
    memcpy(alone.data(), x.data() + t * columns, size_t(columns) * 4);
    Buffer<uint8_t> record(formBytesInt(1, columns));
    quantizeRows(alone, record, 1, columns, 1);
    multiply(w, packed, record, 1, one, 1, random.bits());
    expectSame(what, y.data() + t * rows, one.data(), rows * 4);
  }
}

}  // namespace

CRIA_CASE(integer_rows_come_back) {
  for (Kind kind : integerKinds) {
    for (int64_t rows : {1, 16, 37}) {
      Random random{uint64_t(rows)};
      const Weight w = makeWeight(kind, rows, 96, random);
      Buffer<uint8_t> packed(packedBytesInt(kind, rows, 96));
      pack(w, packed, random, 2);
      for (int64_t row = 0; row < rows; row++) {
        Buffer<float> decoded(96), expected(96);
        decodeRowInt(kind, packed.data(), rows, 96, row, decoded.data());
        for (int64_t k = 0; k < 96; k++) expected[k] = w.value(row, k);
        expectSame(kindNames[kind], decoded.data(), expected.data(), 96 * 4);
      }
    }
  }
}

CRIA_CASE(integer_quantization_is_exact) {
  Random random(5);
  for (int64_t columns : {32, 96, 2048}) {
    for (int round = 0; round < 20; round++) {
      Buffer<float> x(columns);
      random.fill(x.data(), columns);
      // Halves between two steps, where the rounding of ties shows; and a row of zeros.
      if (round % 3 == 1) {
        for (int64_t k = 0; k < columns; k++) x[k] = float(random.below(255) - 127) * 0.5f;
        x[random.below(columns)] = 127.0f;
      }
      if (round == 2) memset(x.data(), 0, size_t(columns) * 4);
      const float factor = powf(10, float(random.below(20) - 10));
      for (int64_t k = 0; k < columns; k++) x[k] *= round % 3 == 1 ? 1 : factor;
      Buffer<uint8_t> record(formBytesInt(1, columns));
      quantizeRows(x, record, 1, columns, 1);
      const Record actual = recordAt(record.data(), 0, columns);
      const Quantized expected = quantize(x.data(), columns);
      expectSame("scale", &actual.scale, &expected.scale, 4);
      for (int64_t k = 0; k < columns; k++) {
        if (actual.values[k] == expected.q[size_t(k)]) continue;
        fail("%.9g becomes %d, expected %d", double(x[k]), actual.values[k], expected.q[size_t(k)]);
      }
    }
  }
  Buffer<float> x(32);
  for (const float strange : {NAN, INFINITY, 1e-40f}) {
    random.fill(x.data(), 32);
    if (strange < 1) memset(x.data(), 0, 32 * 4);
    x[7] = strange;
    Buffer<uint8_t> record(formBytesInt(1, 32));
    quantizeRows(x, record, 1, 32, 1);
    const Record actual = recordAt(record.data(), 0, 32);
    if (isfinite(actual.scale) != (strange < 1)) fail("%g gives the scale %g", double(strange), double(actual.scale));
    for (int k = 0; k < 32; k++) {
      if (actual.values[k] < -127) fail("%g gives %d", double(strange), actual.values[k]);
    }
  }
}

CRIA_CASE(integer_products) {
  for (Kind kind : integerKinds) {
    for (int32_t threads : {1, 2, 3, 4}) checkProducts(kind, 50, 160, 7, threads, false);
    for (int64_t tokens : {1, 2, 3, 4, 5, 13, 31}) checkProducts(kind, 21, 64, tokens, 2, false);
    for (int64_t rows : {1, 15, 16, 17, 33}) checkProducts(kind, rows, 32, 3, 1, false);
    checkProducts(kind, 48, 2080, 27, 4, false);
    checkProducts(kind, 33, 64, 150, 3, false);
  }
}

CRIA_CASE(integer_products_of_the_largest_values) {
  for (Kind kind : integerKinds) checkProducts(kind, 20, 256, 6, 1, true);
}
