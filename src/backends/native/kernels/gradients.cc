// The backward operations of rmsNorm and swiGlu.
#include <math.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

/**
 * Operands: dy, x, gain, dx, 1 / root of each row (out), columns, epsilon. With g = dy * gain:
 * dx = r * (g - x * r^2 * mean(g * x)). Unit: a row.
 */
void RmsNormGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* gain = pointer<float>(args[2]);
  float* inverseRoots = pointer<float>(args[4]);
  const int64_t columns = int64_t(args[5]);
  const float epsilon = float(args[6]);
  for (int64_t t = begin; t < end; t++) {
    const float* dy = pointer<float>(args[0]) + t * columns;
    const float* x = pointer<float>(args[1]) + t * columns;
    float* dx = pointer<float>(args[3]) + t * columns;
    double squares = 0, products = 0;
    for (int64_t d = 0; d < columns; d++) {
      squares += double(x[d]) * x[d];
      products += double(dy[d]) * gain[d] * x[d];
    }
    const float r = float(1.0 / sqrt(squares / double(columns) + double(epsilon)));
    const float shrink = float(products / double(columns)) * r * r;
    for (int64_t d = 0; d < columns; d++) dx[d] = r * (dy[d] * gain[d] - x[d] * shrink);
    inverseRoots[t] = r;
  }
}

/** Operands: dy, x, 1 / root of each row, into, tokens, columns, columns of a unit. Unit: a stretch of columns. */
void RmsNormGainGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const float* x = pointer<float>(args[1]);
  const float* inverseRoots = pointer<float>(args[2]);
  float* into = pointer<float>(args[3]);
  const int64_t tokens = int64_t(args[4]), columns = int64_t(args[5]), width = int64_t(args[6]);
  const int64_t first = begin * width, last = smaller(end * width, columns);
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t d = first; d < last; d++) into[d] += dy[t * columns + d] * x[t * columns + d] * inverseRoots[t];
}

/** Operands: dy, gate, up, gradient of gate, gradient of up, elements, elements of a unit. */
void SwiGluGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const float* gate = pointer<float>(args[1]);
  const float* up = pointer<float>(args[2]);
  float* dGate = pointer<float>(args[3]);
  float* dUp = pointer<float>(args[4]);
  const int64_t width = int64_t(args[6]), last = smaller(end * width, int64_t(args[5]));
  for (int64_t i = begin * width; i < last; i++) {
    const float sigmoid = 1.0f / (1.0f + exponential(-gate[i]));
    const float silu = gate[i] * sigmoid;
    dUp[i] = dy[i] * silu;
    dGate[i] = dy[i] * up[i] * (sigmoid + silu * (1.0f - sigmoid));
  }
}

}  // namespace cria::CRIA_ISA
