// Losses over the vocabulary and their gradients. A unit is a row of logits.
#include <math.h>

#include "vector.h"

namespace cria::CRIA_ISA {

struct RowSum {
  float largest;
  /** Of exp(logit - largest). */
  double total;
};

/** Elements that are summed as floats before their sum joins the total. */
constexpr int64_t sumTogether = 1024;

/** With `keep`, the exponentials are left there. */
static RowSum sumRow(const float* logits, int64_t vocabulary, float* keep) {
  Vector tops[4];
  for (Vector& top : tops) top = broadcast(-INFINITY);
  int64_t v = 0;
  for (; v + 4 * LANES <= vocabulary; v += 4 * LANES) {
    for (int64_t j = 0; j < 4; j++) tops[j] = maximum(load(logits + v + j * LANES), tops[j]);
  }
  float largest = largestOf(maximum(maximum(tops[0], tops[1]), maximum(tops[2], tops[3])));
  for (; v < vocabulary; v++) largest = larger(logits[v], largest);
  const Vector offset = broadcast(-largest);
  double total = 0;
  for (int64_t first = 0; first < vocabulary; first += sumTogether) {
    const float* part = logits + first;
    const int64_t count = smaller(sumTogether, vocabulary - first);
    Vector sums[2] = {zero(), zero()};
    int64_t i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
      for (int64_t j = 0; j < 2; j++) {
        const Vector e = exponential(add(load(part + i + j * LANES), offset));
        if (keep) store(keep + first + i + j * LANES, e);
        sums[j] = add(sums[j], e);
      }
    }
    total += double(sumOf(add(sums[0], sums[1])));
    for (; i < count; i++) {
      const float e = exponential(part[i] - largest);
      if (keep) keep[first + i] = e;
      total += double(e);
    }
  }
  return {largest, total};
}

/** x *= factor for a row. */
static void scaleRow(float* x, int64_t count, float factor) {
  for (int64_t i = 0; i < count; i++) x[i] *= factor;
}

/** Operands: logits, targets (int32), out, vocabulary. */
void LogProbabilities(const double* args, int64_t begin, int64_t end, Thread&) {
  const int32_t* targets = pointer<int32_t>(args[1]);
  float* y = pointer<float>(args[2]);
  const int64_t vocabulary = int64_t(args[3]);
  for (int64_t r = begin; r < end; r++) {
    const float* logits = pointer<float>(args[0]) + r * vocabulary;
    const RowSum sum = sumRow(logits, vocabulary, nullptr);
    y[r] = float(double(logits[targets[r]]) - double(sum.largest) - log(sum.total));
  }
}

/** Operands: dy, logits, targets (int32), dx, vocabulary. */
void LogProbabilitiesGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const int32_t* targets = pointer<int32_t>(args[2]);
  const int64_t vocabulary = int64_t(args[4]);
  for (int64_t r = begin; r < end; r++) {
    const float* logits = pointer<float>(args[1]) + r * vocabulary;
    float* dx = pointer<float>(args[3]) + r * vocabulary;
    const RowSum sum = sumRow(logits, vocabulary, dx);
    scaleRow(dx, vocabulary, -dy[r] / float(sum.total));
    dx[targets[r]] += dy[r];
  }
}

/** Operands: logits, ids (int32), p, out, vocabulary, ids of a row. */
void CrossEntropy(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t vocabulary = int64_t(args[4]), k = int64_t(args[5]);
  float* y = pointer<float>(args[3]);
  for (int64_t r = begin; r < end; r++) {
    const float* logits = pointer<float>(args[0]) + r * vocabulary;
    const int32_t* ids = pointer<int32_t>(args[1]) + r * k;
    const float* p = pointer<float>(args[2]) + r * k;
    const RowSum sum = sumRow(logits, vocabulary, nullptr);
    const double offset = double(sum.largest) + log(sum.total);
    double loss = 0;
    for (int64_t j = 0; j < k; j++) loss -= double(p[j]) * (double(logits[ids[j]]) - offset);
    y[r] = float(loss);
  }
}

/** Operands: dy, logits, ids (int32), p, dx, vocabulary, ids of a row. */
void CrossEntropyGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dy = pointer<float>(args[0]);
  const int64_t vocabulary = int64_t(args[5]), k = int64_t(args[6]);
  for (int64_t r = begin; r < end; r++) {
    const float* logits = pointer<float>(args[1]) + r * vocabulary;
    const int32_t* ids = pointer<int32_t>(args[2]) + r * k;
    const float* p = pointer<float>(args[3]) + r * k;
    float* dx = pointer<float>(args[4]) + r * vocabulary;
    const RowSum sum = sumRow(logits, vocabulary, dx);
    double mass = 0;
    for (int64_t j = 0; j < k; j++) mass += p[j];
    scaleRow(dx, vocabulary, float(double(dy[r]) * mass / sum.total));
    for (int64_t j = 0; j < k; j++) dx[ids[j]] -= dy[r] * p[j];
  }
}

}  // namespace cria::CRIA_ISA
