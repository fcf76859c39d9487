// Operations on single values and single rows.
#include <math.h>

#include "vector.h"

namespace cria::CRIA_ISA {

/** Operands: x, gain, out, columns, epsilon. Unit: a row. */
void RmsNorm(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* gain = pointer<float>(args[1]);
  const int64_t columns = int64_t(args[3]);
  const float epsilon = float(args[4]);
  for (int64_t t = begin; t < end; t++) {
    const float* x = pointer<float>(args[0]) + t * columns;
    float* y = pointer<float>(args[2]) + t * columns;
    const float squares = sumOverVectors(columns, [=](auto get) { return mul(get(x), get(x)); });
    const float scale = 1.0f / sqrtf(squares / float(columns) + epsilon);
    for (int64_t d = 0; d < columns; d++) y[d] = x[d] * scale * gain[d];
  }
}

/** Operands: x, rotation, out, columns, head width, 1 or -1 for the inverse rotation. Unit: a row. */
void Rope(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t columns = int64_t(args[3]), width = int64_t(args[4]), half = width / 2;
  const float direction = float(args[5]);
  for (int64_t t = begin; t < end; t++) {
    const float* cosines = pointer<float>(args[1]) + t * width;
    const float* sines = cosines + half;
    for (int64_t head = 0; head < columns; head += width) {
      const float* x = pointer<float>(args[0]) + t * columns + head;
      float* y = pointer<float>(args[2]) + t * columns + head;
      for (int64_t i = 0; i < half; i++) {
        const float sine = sines[i] * direction;
        const float low = x[i], high = x[i + half];
        y[i] = low * cosines[i] - high * sine;
        y[i + half] = high * cosines[i] + low * sine;
      }
    }
  }
}

/** Operands: gate, up, out, elements, elements of a unit. Unit: a stretch of elements, here and below. */
void SwiGlu(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* gate = pointer<float>(args[0]);
  const float* up = pointer<float>(args[1]);
  float* y = pointer<float>(args[2]);
  const int64_t width = int64_t(args[4]), last = smaller(end * width, int64_t(args[3]));
  overVectors(begin * width, last, [=](auto get, auto put) {
    const Vector z = get(gate);
    put(y, mul(div(z, add(broadcast(1.0f), exponential(sub(zero(), z)))), get(up)));
  });
}

/** Operands: x, y, out, elements, elements of a unit, scale of y. */
void Add(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* x = pointer<float>(args[0]);
  const float* y = pointer<float>(args[1]);
  float* out = pointer<float>(args[2]);
  const int64_t width = int64_t(args[4]), last = smaller(end * width, int64_t(args[3]));
  const float scale = float(args[5]);
  for (int64_t i = begin * width; i < last; i++) out[i] = x[i] + scale * y[i];
}

/** Operands: x, out, elements, elements of a unit, scale. */
void Scale(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* x = pointer<float>(args[0]);
  float* out = pointer<float>(args[1]);
  const int64_t width = int64_t(args[3]), last = smaller(end * width, int64_t(args[2]));
  const float scale = float(args[4]);
  for (int64_t i = begin * width; i < last; i++) out[i] = x[i] * scale;
}

/** Operands: x, elements, elements of a unit, value. */
void Fill(const double* args, int64_t begin, int64_t end, Thread&) {
  float* x = pointer<float>(args[0]);
  const int64_t width = int64_t(args[2]), last = smaller(end * width, int64_t(args[1]));
  const float value = float(args[3]);
  for (int64_t i = begin * width; i < last; i++) x[i] = value;
}

/** Operands: into, x, elements, elements of a unit, scale. */
void Accumulate(const double* args, int64_t begin, int64_t end, Thread&) {
  float* into = pointer<float>(args[0]);
  const float* x = pointer<float>(args[1]);
  const int64_t width = int64_t(args[3]), last = smaller(end * width, int64_t(args[2]));
  const float scale = float(args[4]);
  for (int64_t i = begin * width; i < last; i++) into[i] += x[i] * scale;
}

}  // namespace cria::CRIA_ISA
