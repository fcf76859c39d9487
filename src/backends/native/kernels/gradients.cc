// The backward operations of rmsNorm and swiGlu.
#include <math.h>

#include "vector.h"

namespace cria::CRIA_ISA {

/** Rows of a unit of RmsNormGradient. */
constexpr int64_t normRows = 64;
int64_t rmsNormGradientUnits(int64_t rows) { return ceilingDivide(rows, normRows); }

/**
 * Operands: dy, x, gain, dx, parts (a row for each unit, or 0), rows, columns, epsilon. With g = dy * gain and r = 1 / root:
 * dx = r * (g - x * r^2 * mean(g * x)); parts[unit] = sum of dy * x * r over the rows of the unit. Unit: see above.
 */
void RmsNormGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* gain = pointer<float>(args[2]);
  const int64_t rows = int64_t(args[5]), columns = int64_t(args[6]);
  const float epsilon = float(args[7]);
  for (int64_t unit = begin; unit < end; unit++) {
    float* part = args[4] == 0 ? nullptr : pointer<float>(args[4]) + unit * columns;
    for (int64_t d = 0; part && d < columns; d++) part[d] = 0;
    for (int64_t t = unit * normRows; t < smaller((unit + 1) * normRows, rows); t++) {
      const float* dy = pointer<float>(args[0]) + t * columns;
      const float* x = pointer<float>(args[1]) + t * columns;
      float* dx = pointer<float>(args[3]) + t * columns;
      const float squares = sumOverVectors(columns, [=](auto get) { return mul(get(x), get(x)); });
      const float products = sumOverVectors(columns, [=](auto get) { return mul(mul(get(dy), get(gain)), get(x)); });
      const float r = 1.0f / sqrtf(squares / float(columns) + epsilon);
      const float shrink = products / float(columns) * r * r;
      const Vector root = broadcast(r), share = broadcast(-shrink);
      overVectors(0, columns, [=](auto get, auto put) {
        put(dx, mul(root, fma(get(x), share, mul(get(dy), get(gain)))));
        if (part) put(part, fma(mul(get(dy), get(x)), root, get(part)));
      });
    }
  }
}

/** Operands: parts, into, number of parts, columns, columns of a unit. Unit: a stretch of columns. */
void AddParts(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* parts = pointer<float>(args[0]);
  float* into = pointer<float>(args[1]);
  const int64_t count = int64_t(args[2]), columns = int64_t(args[3]), width = int64_t(args[4]);
  const int64_t first = begin * width, last = smaller(end * width, columns);
  for (int64_t i = 0; i < count; i++)
    for (int64_t d = first; d < last; d++) into[d] += parts[i * columns + d];
}

/** Operands: dy, gate, up, gradient of gate, gradient of up, elements, elements of a unit. */
void SwiGluGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const float* gate = pointer<float>(args[1]);
  const float* up = pointer<float>(args[2]);
  float* dGate = pointer<float>(args[3]);
  float* dUp = pointer<float>(args[4]);
  const int64_t width = int64_t(args[6]), last = smaller(end * width, int64_t(args[5]));
  const Vector one = broadcast(1.0f);
  overVectors(begin * width, last, [=](auto get, auto put) {
    const Vector z = get(gate);
    const Vector sigmoid = div(one, add(one, exponential(sub(zero(), z))));
    const Vector silu = mul(z, sigmoid);
    put(dUp, mul(get(dy), silu));
    put(dGate, mul(mul(get(dy), get(up)), fma(silu, sub(one, sigmoid), sigmoid)));
  });
}

}  // namespace cria::CRIA_ISA
