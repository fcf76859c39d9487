// The optimizer's step, and the norm that clipping needs.
#include <math.h>

#include "vector.h"

namespace cria::CRIA_ISA {

/** Operands: x, parts (f64, one a unit), elements, elements of a unit. */
void SquaredNormParts(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* x = pointer<float>(args[0]);
  double* parts = pointer<double>(args[1]);
  const int64_t elements = int64_t(args[2]), width = int64_t(args[3]);
  for (int64_t unit = begin; unit < end; unit++) {
    double lanes[8] = {};
    const int64_t last = smaller((unit + 1) * width, elements);
    int64_t i = unit * width;
    for (; i + 8 <= last; i += 8)
      for (int64_t j = 0; j < 8; j++) lanes[j] += double(x[i + j]) * x[i + j];
    for (int64_t j = 0; i < last; i++, j++) lanes[j] += double(x[i]) * x[i];
    parts[unit] = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  }
}

/** Operands: parts (f64), out (f32), number of parts. One unit. */
void SumParts(const double* args, int64_t, int64_t, Thread&) {
  const double* parts = pointer<double>(args[0]);
  double sum = 0;
  for (int64_t i = 0; i < int64_t(args[2]); i++) sum += parts[i];
  *pointer<float>(args[1]) = float(sum);
}

/**
 * Operands: parameter, gradient, m, v, elements, elements of a unit, learning rate, beta1, beta2, epsilon, weight decay,
 * step, gradient scale. Unit: a stretch of elements.
 */
void AdamW(const double* args, int64_t begin, int64_t end, Thread&) {
  float* parameter = pointer<float>(args[0]);
  const float* gradient = pointer<float>(args[1]);
  float* m = pointer<float>(args[2]);
  float* v = pointer<float>(args[3]);
  const int64_t width = int64_t(args[5]), last = smaller(end * width, int64_t(args[4]));
  const Vector beta1 = broadcast(float(args[7])), beta2 = broadcast(float(args[8])), epsilon = broadcast(float(args[9]));
  const Vector rest1 = broadcast(float(1.0 - args[7])), rest2 = broadcast(float(1.0 - args[8]));
  const Vector keep = broadcast(float(1.0 - args[6] * args[10]));
  const Vector rate = broadcast(float(args[6] / (1.0 - pow(args[7], args[11]))));
  const Vector correction = broadcast(float(1.0 / (1.0 - pow(args[8], args[11]))));
  const Vector scale = broadcast(float(args[12]));
  overVectors(begin * width, last, [=](auto get, auto put) {
    const Vector g = mul(get(gradient), scale);
    const Vector mean = fma(beta1, get(m), mul(rest1, g));
    const Vector square = fma(beta2, get(v), mul(rest2, mul(g, g)));
    const Vector change = div(mul(rate, mean), add(squareRoot(mul(square, correction)), epsilon));
    put(m, mean);
    put(v, square);
    put(parameter, sub(mul(get(parameter), keep), change));
  });
}

}  // namespace cria::CRIA_ISA
