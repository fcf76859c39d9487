// Attention over pages. Of every layer a page holds, for each kv head, K [slots][E] and V [slots][E].
#include <math.h>

#include "arithmetic.h"

namespace cria::CRIA_ISA {

int64_t pageBytes(int64_t kvHeads, int64_t headWidth, int64_t pageTokens, int64_t element) {
  return 2 * kvHeads * headWidth * pageTokens * element;
}

static inline float elementAt(const uint8_t* line, int64_t e, int64_t element) {
  return element == 2 ? halfToFloat(reinterpret_cast<const uint16_t*>(line)[e]) : reinterpret_cast<const float*>(line)[e];
}

/**
 * Operands: key, value, rows, pages of the layer, kv heads, head width, page tokens, bytes of an element. `rows` holds two
 * doubles a token: the address of its page table (int32) and its slot. Unit: a token.
 */
void StoreKeysValues(const double* args, int64_t begin, int64_t end, Thread&) {
  const double* rows = pointer<double>(args[2]);
  const int64_t heads = int64_t(args[4]), width = int64_t(args[5]), pageTokens = int64_t(args[6]);
  const int64_t element = int64_t(args[7]);
  const int64_t bytes = pageBytes(heads, width, pageTokens, element), headBytes = pageTokens * width * element;
  for (int64_t t = begin; t < end; t++) {
    const int32_t* table = pointer<int32_t>(rows[2 * t]);
    const int64_t slot = int64_t(rows[2 * t + 1]);
    uint8_t* page = pointer<uint8_t>(args[3]) + table[slot / pageTokens] * bytes;
    for (int64_t head = 0; head < heads; head++) {
      for (int64_t half = 0; half < 2; half++) {
        const float* source = pointer<float>(args[half]) + (t * heads + head) * width;
        uint8_t* line = page + (head * 2 + half) * headBytes + (slot % pageTokens) * width * element;
        for (int64_t e = 0; e < width; e++) {
          if (element == 2) reinterpret_cast<uint16_t*>(line)[e] = floatToHalf(source[e]);
          else reinterpret_cast<float*>(line)[e] = source[e];
        }
      }
    }
  }
}

/**
 * Operands: query, out, tokens' rows (as above), pages of the layer, kv heads, heads of a group, head width, page
 * tokens, bytes of an element, scale of the scores. Each row of the query runs an online softmax from slot 0 on
 * (Milakov & Gimelshein 2018). Unit: token x query head.
 */
void Attention(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const double* rows = pointer<double>(args[2]);
  const int64_t kvHeads = int64_t(args[4]), group = int64_t(args[5]), width = int64_t(args[6]);
  const int64_t pageTokens = int64_t(args[7]), element = int64_t(args[8]);
  const float scale = float(args[9]);
  const int64_t heads = kvHeads * group;
  const int64_t bytes = pageBytes(kvHeads, width, pageTokens, element), headBytes = pageTokens * width * element;
  float* sums = reinterpret_cast<float*>(thread.scratch);
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t t = unit / heads, head = unit % heads;
    const int32_t* table = pointer<int32_t>(rows[2 * t]);
    const int64_t visible = int64_t(rows[2 * t + 1]) + 1;
    const float* query = pointer<float>(args[0]) + unit * width;
    float largest = -INFINITY, total = 0;
    for (int64_t e = 0; e < width; e++) sums[e] = 0;
    for (int64_t slot = 0; slot < visible; slot++) {
      const uint8_t* keys = pointer<uint8_t>(args[3]) + table[slot / pageTokens] * bytes + (head / group) * 2 * headBytes +
                            (slot % pageTokens) * width * element;
      float lanes[8] = {};
      for (int64_t e = 0; e < width; e++) lanes[e & 7] += query[e] * elementAt(keys, e, element);
      const float score =
          (((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))) * scale;
      if (score > largest) {
        const float shrink = exponential(largest - score);
        for (int64_t e = 0; e < width; e++) sums[e] *= shrink;
        total *= shrink;
        largest = score;
      }
      const float probability = exponential(score - largest);
      total += probability;
      for (int64_t e = 0; e < width; e++) sums[e] += probability * elementAt(keys + headBytes, e, element);
    }
    float* out = pointer<float>(args[1]) + unit * width;
    for (int64_t e = 0; e < width; e++) out[e] = sums[e] / total;
  }
}

}  // namespace cria::CRIA_ISA
