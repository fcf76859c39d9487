// Gradients of causal grouped-query attention without a cache.
#include <math.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

static inline float dot(const float* a, const float* b, int64_t count) {
  float lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int64_t j = 0; j < 8; j++) lanes[j] += a[i + j] * b[i + j];
  for (int64_t j = 0; i < count; i++, j++) lanes[j] += a[i] * b[i];
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

/**
 * Operands: dy, query, key, value, output, gradients of query, key and value, sequences (two int32 each: first row and
 * length), kv heads, heads of a group, head width, scale of the scores. With p = softmax(s), D = dy . output:
 * dv += p dy, ds = p (dy . v - D), dq += ds k scale, dk += ds q scale. Unit: sequence x kv head.
 */
void AttentionGradient(const double* args, int64_t begin, int64_t end, Thread&) {
  const float* dyAll = pointer<float>(args[0]);
  const float* queryAll = pointer<float>(args[1]);
  const float* keyAll = pointer<float>(args[2]);
  const float* valueAll = pointer<float>(args[3]);
  const float* outputAll = pointer<float>(args[4]);
  float* dQuery = pointer<float>(args[5]);
  float* dKey = pointer<float>(args[6]);
  float* dValue = pointer<float>(args[7]);
  const int32_t* sequences = pointer<int32_t>(args[8]);
  const int64_t kvHeads = int64_t(args[9]), group = int64_t(args[10]), width = int64_t(args[11]);
  const float scale = float(args[12]);
  const int64_t X = kvHeads * group * width, Y = kvHeads * width;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t first = sequences[unit / kvHeads * 2], length = sequences[unit / kvHeads * 2 + 1];
    const int64_t kvHead = unit % kvHeads;
    for (int64_t s = first; s < first + length; s++)
      for (int64_t e = kvHead * width; e < (kvHead + 1) * width; e++) dKey[s * Y + e] = dValue[s * Y + e] = 0;
    for (int64_t t = first; t < first + length; t++) {
      for (int64_t head = kvHead * group; head < (kvHead + 1) * group; head++) {
        const int64_t at = t * X + head * width;
        float largest = -INFINITY;
        for (int64_t s = first; s <= t; s++)
          largest = larger(largest, dot(queryAll + at, keyAll + s * Y + kvHead * width, width) * scale);
        double total = 0;
        for (int64_t s = first; s <= t; s++)
          total += exponential(dot(queryAll + at, keyAll + s * Y + kvHead * width, width) * scale - largest);
        const float inverse = float(1.0 / total);
        const float offset = dot(dyAll + at, outputAll + at, width);
        for (int64_t e = 0; e < width; e++) dQuery[at + e] = 0;
        for (int64_t s = first; s <= t; s++) {
          const int64_t from = s * Y + kvHead * width;
          const float p = exponential(dot(queryAll + at, keyAll + from, width) * scale - largest) * inverse;
          const float ds = p * (dot(dyAll + at, valueAll + from, width) - offset) * scale;
          for (int64_t e = 0; e < width; e++) {
            dValue[from + e] += p * dyAll[at + e];
            dQuery[at + e] += ds * keyAll[from + e];
            dKey[from + e] += ds * queryAll[at + e];
          }
        }
      }
    }
  }
}

}  // namespace cria::CRIA_ISA
