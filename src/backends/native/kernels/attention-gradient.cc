// Gradients of causal grouped-query attention without a cache, block by block of queries and keys, so that no matrix
// of scores exists (Dao 2023). With s = scale q.k, p = softmax(s) and D = dy . output:
// dv += p dy, ds = p (dy . v - D), dq += ds k scale, dk += ds q scale.
#include "panels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t blockQueries = 96 / TILE_ROWS * TILE_ROWS;
constexpr int64_t mostKeys = 128;

/** Scratch memory of one thread, in the form for heads of one width. */
struct Blocks {
  int64_t keys;
  /** Of a block of keys: K and V with E as the contraction, K with the keys as the contraction. */
  float *keysAcross, *valuesAcross, *keysDown;
  /** [queries][keys]: scores, then probabilities; and the gradient of the scores. */
  float *scores, *gradients;
  /** Packed operands of one product. */
  float *left, *right;

  static int64_t floatsFor(int64_t keys, int64_t width) {
    const int64_t columns = ceilingDivide(width, PANEL) * PANEL;
    return 3 * keys * columns + 2 * blockQueries * keys + leftFloats(keys, width) + blockQueries * columns;
  }
  static int64_t leftFloats(int64_t keys, int64_t width) {
    return blockQueries * larger(width, ceilingDivide(keys, TILE_ROWS) * TILE_ROWS);
  }

  Blocks(uint8_t* scratch, int64_t width) {
    keys = mostKeys;
    while (keys > PANEL && floatsFor(keys, width) * int64_t(sizeof(float)) > scratchBytes) keys /= 2;
    const int64_t columns = ceilingDivide(width, PANEL) * PANEL;
    keysAcross = reinterpret_cast<float*>(scratch);
    valuesAcross = keysAcross + keys * columns;
    keysDown = valuesAcross + keys * columns;
    scores = keysDown + keys * columns;
    gradients = scores + blockQueries * keys;
    left = gradients + blockQueries * keys;
    right = left + leftFloats(keys, width);
  }
};

/** Rows of a head as panels of 16 rows with E as the contraction; missing rows are zeros. */
void packAcross(const float* x, int64_t stride, int64_t rows, int64_t width, float* target) {
  for (int64_t row = 0; row < rows; row += PANEL) {
    if (rows - row >= PANEL) {
      transposeRows(x + row * stride, stride, width, target);
    } else {
      for (int64_t e = 0; e < width; e++) {
        for (int64_t r = 0; r < PANEL; r++) target[e * PANEL + r] = row + r < rows ? x[(row + r) * stride + e] : 0.0f;
      }
    }
    target += PANEL * width;
  }
}

/** C = x . panels, with the rows of x as they lie. */
void multiplyRows(const float* x, int64_t stride, int64_t rows, int64_t steps, const float* panels, int64_t columns,
                  float* left, float* c, int64_t cStride, bool onto) {
  packRows(x, stride, rows, steps, left);
  multiplyStretch(rows, columns, steps, left, steps * TILE_ROWS, panels, steps * PANEL, c, cStride, onto);
}

/** What the row of a query and head is divided by, as a logarithm, from the largest score so far and the sum under it. */
void joinScores(const float* scores, int64_t visible, float scale, float& largest, float& total) {
  Vector tops = broadcast(-INFINITY);
  int64_t s = 0;
  for (; s + LANES <= visible; s += LANES) tops = maximum(load(scores + s), tops);
  float top = largestOf(tops);
  for (; s < visible; s++) top = larger(scores[s], top);
  top *= scale;
  if (top > largest) {
    total *= exponential(largest - top);
    largest = top;
  }
  Vector sums = zero();
  const Vector factor = broadcast(scale), offset = broadcast(-largest);
  for (s = 0; s + LANES <= visible; s += LANES) {
    sums = add(sums, exponential(fma(load(scores + s), factor, offset)));
  }
  total += sumOf(sums);
  for (; s < visible; s++) total += exponential(scores[s] * scale - largest);
}

/** Scores of a row become probabilities, dy . v becomes the gradient of the score; nothing beyond `visible` is seen. */
void differentiateScores(float* scores, float* gradients, int64_t visible, int64_t count, float scale, float logarithm,
                         float D) {
  const Vector factor = broadcast(scale), offset = broadcast(-logarithm), negativeD = broadcast(-D);
  int64_t s = 0;
  for (; s + LANES <= visible; s += LANES) {
    const Vector p = exponential(fma(load(scores + s), factor, offset));
    store(scores + s, p);
    store(gradients + s, mul(mul(p, factor), add(load(gradients + s), negativeD)));
  }
  for (; s < visible; s++) {
    scores[s] = exponential(scores[s] * scale - logarithm);
    gradients[s] = scores[s] * scale * (gradients[s] - D);
  }
  for (; s < count; s++) scores[s] = gradients[s] = 0;
}

}  // namespace

/**
 * Operands: dy, query, key, value, output, gradients of query, key and value, sequences (two int32 each: first row and
 * length), kv heads, heads of a group, head width, scale of the scores, two floats for each row and head. Unit: sequence
 * x kv head.
 */
void AttentionGradient(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const int32_t* sequences = pointer<int32_t>(args[8]);
  const int64_t kvHeads = int64_t(args[9]), group = int64_t(args[10]), width = int64_t(args[11]);
  const int64_t X = kvHeads * group * width, Y = kvHeads * width;
  const float scale = float(args[12]);
  const Blocks blocks(thread.scratch, width);
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t first = sequences[unit / kvHeads * 2], length = sequences[unit / kvHeads * 2 + 1];
    const int64_t atKey = first * Y + unit % kvHeads * width, atQuery = first * X + unit % kvHeads * group * width;
    const float* keys = pointer<float>(args[2]) + atKey;
    const float* values = pointer<float>(args[3]) + atKey;
    float* dKeys = pointer<float>(args[6]) + atKey;
    float* dValues = pointer<float>(args[7]) + atKey;
    // For each row and head of this unit: first the largest score and the sum, then the logarithm of the sum and D.
    float* rows = pointer<float>(args[13]) + (first * kvHeads + unit % kvHeads * length) * group * 2;
    for (int64_t i = 0; i < length * group; i++) {
      rows[2 * i] = -INFINITY;
      rows[2 * i + 1] = 0;
    }
    for (int64_t s = 0; s < length; s += blocks.keys) {
      const int64_t count = smaller(length - s, blocks.keys);
      packAcross(keys + s * Y, Y, count, width, blocks.keysAcross);
      for (int64_t head = 0; head < group; head++) {
        const float* query = pointer<float>(args[1]) + atQuery + head * width;
        for (int64_t t = s / blockQueries * blockQueries; t < length; t += blockQueries) {
          const int64_t queries = smaller(length - t, blockQueries);
          multiplyRows(query + t * X, X, queries, width, blocks.keysAcross, count, blocks.left, blocks.scores, count,
                       false);
          for (int64_t r = larger(s - t, int64_t(0)); r < queries; r++) {
            float* row = rows + (head * length + t + r) * 2;
            joinScores(blocks.scores + r * count, smaller(count, t + r - s + 1), scale, row[0], row[1]);
          }
        }
      }
    }
    for (int64_t head = 0; head < group; head++) {
      for (int64_t t = 0; t < length; t++) {
        const int64_t at = atQuery + t * X + head * width;
        const float* dy = pointer<float>(args[0]) + at;
        const float* output = pointer<float>(args[4]) + at;
        float* row = rows + (head * length + t) * 2;
        row[0] += logf(row[1]);
        row[1] = dot(dy, output, width);
      }
    }
    for (int64_t s = 0; s < length; s += blocks.keys) {
      const int64_t count = smaller(length - s, blocks.keys);
      packAcross(keys + s * Y, Y, count, width, blocks.keysAcross);
      packAcross(values + s * Y, Y, count, width, blocks.valuesAcross);
      packColumns<PANEL>(keys + s * Y, Y, width, count, blocks.keysDown, count * PANEL);
      bool onto = false;
      for (int64_t head = 0; head < group; head++) {
        const float* dyHead = pointer<float>(args[0]) + atQuery + head * width;
        const float* queryHead = pointer<float>(args[1]) + atQuery + head * width;
        float* dQueryHead = pointer<float>(args[5]) + atQuery + head * width;
        for (int64_t t = s / blockQueries * blockQueries; t < length; t += blockQueries) {
          const int64_t queries = smaller(length - t, blockQueries);
          const float* dy = dyHead + t * X;
          const float* query = queryHead + t * X;
          multiplyRows(query, X, queries, width, blocks.keysAcross, count, blocks.left, blocks.scores, count, false);
          multiplyRows(dy, X, queries, width, blocks.valuesAcross, count, blocks.left, blocks.gradients, count, false);
          for (int64_t r = 0; r < queries; r++) {
            const float* row = rows + (head * length + t + r) * 2;
            const int64_t visible = smaller(count, larger(t + r - s + 1, int64_t(0)));
            differentiateScores(blocks.scores + r * count, blocks.gradients + r * count, visible, count, scale, row[0],
                                row[1]);
          }
          multiplyRows(blocks.gradients, count, queries, count, blocks.keysDown, width, blocks.left, dQueryHead + t * X,
                       X, s > 0);
          packColumns<TILE_ROWS>(blocks.scores, count, count, queries, blocks.left, queries * TILE_ROWS);
          packColumns<PANEL>(dy, X, width, queries, blocks.right, queries * PANEL);
          multiplyStretch(count, width, queries, blocks.left, queries * TILE_ROWS, blocks.right, queries * PANEL,
                          dValues + s * Y, Y, onto);
          packColumns<TILE_ROWS>(blocks.gradients, count, count, queries, blocks.left, queries * TILE_ROWS);
          packColumns<PANEL>(query, X, width, queries, blocks.right, queries * PANEL);
          multiplyStretch(count, width, queries, blocks.left, queries * TILE_ROWS, blocks.right, queries * PANEL,
                          dKeys + s * Y, Y, onto);
          onto = true;
        }
      }
    }
  }
}

}  // namespace cria::CRIA_ISA
