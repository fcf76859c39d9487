// Losses over the vocabulary and their gradients. A unit is a row of logits.
#include <math.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

struct RowSum {
  float largest;
  /** Of exp(logit - largest). */
  double total;
};

static inline RowSum sumRow(const float* logits, int64_t vocabulary) {
  float largest = logits[0];
  for (int64_t v = 1; v < vocabulary; v++) largest = logits[v] > largest ? logits[v] : largest;
  double total = 0;
  for (int64_t v = 0; v < vocabulary; v++) total += exponential(logits[v] - largest);
  return {largest, total};
}

/** Operands: logits, targets (int32), out, vocabulary. */
void LogProbabilities(const double* args, int64_t begin, int64_t end, Thread&) {
  const int32_t* targets = pointer<int32_t>(args[1]);
  float* y = pointer<float>(args[2]);
  const int64_t vocabulary = int64_t(args[3]);
  for (int64_t r = begin; r < end; r++) {
    const float* logits = pointer<float>(args[0]) + r * vocabulary;
    const RowSum sum = sumRow(logits, vocabulary);
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
    const RowSum sum = sumRow(logits, vocabulary);
    const float factor = -dy[r] / float(sum.total);
    for (int64_t v = 0; v < vocabulary; v++) dx[v] = factor * exponential(logits[v] - sum.largest);
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
    const RowSum sum = sumRow(logits, vocabulary);
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
    const RowSum sum = sumRow(logits, vocabulary);
    double mass = 0;
    for (int64_t j = 0; j < k; j++) mass += p[j];
    const float factor = float(double(dy[r]) * mass / sum.total);
    for (int64_t v = 0; v < vocabulary; v++) dx[v] = factor * exponential(logits[v] - sum.largest);
    for (int64_t j = 0; j < k; j++) dx[ids[j]] -= dy[r] * p[j];
  }
}

}  // namespace cria::CRIA_ISA
