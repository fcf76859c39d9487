// The backward operations, the losses and the optimizer against their formulas in double precision; the same bits by
// any threads.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <functional>
#include <vector>

#include "../kernels.h"
#include "check.h"

using namespace cria;
using namespace cria::CRIA_ISA;
using namespace cria::test;

namespace {

using Doubles = std::vector<double>;

void expectNear(const char* what, Buffer<float>& actual, const Doubles& expected, float tolerance) {
  std::vector<float> rounded(expected.begin(), expected.end());
  expectClose(what, actual.data(), rounded.data(), actual.count(), tolerance);
}

/** Runs `work` with 1 to 4 threads: what it leaves must be the same. */
void sameByAnyThreads(const char* what, Buffer<float>& result, const std::function<void(int32_t)>& work) {
  work(1);
  const std::vector<float> first(result.data(), result.data() + result.count());
  for (int32_t threads : {2, 3, 4}) {
    memset(result.data(), 0xa5, first.size() * 4);
    work(threads);
    expectSame(what, result.data(), first.data(), int64_t(first.size()) * 4);
  }
}

struct Heads {
  int64_t kv, group, width;
  int64_t X() const { return kv * group * width; }
  int64_t Y() const { return kv * width; }
};

/** All in one buffer: gradients of query, key and value, one after the other. */
void checkAttentionGradient(const std::vector<int32_t>& lengths, Heads heads, float largest) {
  std::vector<int32_t> sequences;
  int32_t tokens = 0;
  for (int32_t length : lengths) {
    sequences.insert(sequences.end(), {tokens, length});
    tokens += length;
  }
  const int64_t X = heads.X(), Y = heads.Y(), width = heads.width;
  Random random{uint64_t(tokens * 100 + X)};
  Buffer<float> dy(tokens * X), q(tokens * X), k(tokens * Y), v(tokens * Y), y(tokens * X);
  Buffer<float> gradients(tokens * (X + 2 * Y)), statistics(tokens * heads.kv * heads.group * 2);
  Buffer<int32_t> list(int64_t(sequences.size()));
  memcpy(list.data(), sequences.data(), sequences.size() * 4);
  for (Buffer<float>* buffer : {&dy, &q, &k, &v}) random.fill(buffer->data(), buffer->count());
  for (int64_t i = 0; i < q.count(); i++) q[i] *= largest;
  const double scale = 1 / sqrt(double(width));
  Doubles expected(size_t(gradients.count()));
  double* dq = expected.data();
  double* dk = dq + tokens * X;
  double* dv = dk + tokens * Y;
  for (size_t s = 0; s < lengths.size(); s++) {
    for (int64_t t = sequences[2 * s]; t < sequences[2 * s] + lengths[s]; t++) {
      for (int64_t head = 0; head < heads.kv * heads.group; head++) {
        const int64_t from = sequences[2 * s], at = t * X + head * width, kv = head / heads.group * width;
        Doubles p;
        double top = -INFINITY, total = 0;
        for (int64_t i = from; i <= t; i++) {
          double score = 0;
          for (int64_t e = 0; e < width; e++) score += double(q[at + e]) * double(k[i * Y + kv + e]);
          p.push_back(score * scale);
          top = fmax(top, p.back());
        }
        for (double& value : p) total += value = exp(value - top);
        double D = 0;
        for (int64_t e = 0; e < width; e++) {
          double sum = 0;
          for (int64_t i = from; i <= t; i++) sum += p[size_t(i - from)] / total * double(v[i * Y + kv + e]);
          y[at + e] = float(sum);
          D += sum * double(dy[at + e]);
        }
        for (int64_t i = from; i <= t; i++) {
          const double probability = p[size_t(i - from)] / total;
          double dp = 0;
          for (int64_t e = 0; e < width; e++) dp += double(dy[at + e]) * double(v[i * Y + kv + e]);
          const double ds = probability * (dp - D) * scale;
          for (int64_t e = 0; e < width; e++) {
            dq[at + e] += ds * double(k[i * Y + kv + e]);
            dk[i * Y + kv + e] += ds * double(q[at + e]);
            dv[i * Y + kv + e] += probability * double(dy[at + e]);
          }
        }
      }
    }
  }
  char what[96];
  snprintf(what, sizeof what, "attention of %d tokens, %d/%d heads of %d", tokens, int(heads.kv * heads.group),
           int(heads.kv), int(width));
  sameByAnyThreads(what, gradients, [&](int32_t threads) {
    const double at = gradients.operand();
    run(AttentionGradient,
        {dy.operand(), q.operand(), k.operand(), v.operand(), y.operand(), at, at + double(tokens * X) * 4,
         at + double(tokens * (X + Y)) * 4, list.operand(), double(heads.kv), double(heads.group), double(width), scale,
         statistics.operand()},
        int64_t(lengths.size()) * heads.kv, threads);
  });
  expectNear(what, gradients, expected, 2e-6f * largest);
}

void checkLosses(int64_t rows, int64_t vocabulary, float largest) {
  Random random{uint64_t(vocabulary)};
  const int64_t each = 3;
  Buffer<float> logits(rows * vocabulary), dy(rows), p(rows * each), y(rows), dx(rows * vocabulary);
  Buffer<int32_t> targets(rows), ids(rows * each);
  random.fill(logits.data(), logits.count());
  random.fill(dy.data(), rows);
  for (int64_t i = 0; i < logits.count(); i++) logits[i] *= largest;
  for (int64_t r = 0; r < rows; r++) {
    targets[r] = int32_t(random.below(vocabulary));
    for (int64_t j = 0; j < each; j++) {
      ids[r * each + j] = int32_t(random.below(vocabulary));
      p[r * each + j] = 0.3f * fabsf(random.uniform());
    }
  }
  Doubles one(size_t(rows), 0), sparse(size_t(rows), 0);
  Doubles oneGradient(size_t(dx.count())), sparseGradient(size_t(dx.count()));
  for (int64_t r = 0; r < rows; r++) {
    const float* x = logits.data() + r * vocabulary;
    double top = -INFINITY, total = 0, mass = 0;
    for (int64_t v = 0; v < vocabulary; v++) top = fmax(top, double(x[v]));
    for (int64_t v = 0; v < vocabulary; v++) total += exp(double(x[v]) - top);
    const double logarithm = top + log(total);
    one[size_t(r)] = double(x[targets[r]]) - logarithm;
    for (int64_t j = 0; j < each; j++) {
      mass += double(p[r * each + j]);
      sparse[size_t(r)] -= double(p[r * each + j]) * (double(x[ids[r * each + j]]) - logarithm);
    }
    double* first = oneGradient.data() + r * vocabulary;
    double* second = sparseGradient.data() + r * vocabulary;
    for (int64_t v = 0; v < vocabulary; v++) {
      const double probability = exp(double(x[v]) - logarithm);
      first[v] = double(dy[r]) * ((v == targets[r] ? 1 : 0) - probability);
      second[v] = double(dy[r]) * probability * mass;
    }
    for (int64_t j = 0; j < each; j++) second[ids[r * each + j]] -= double(dy[r]) * double(p[r * each + j]);
  }
  char what[64];
  snprintf(what, sizeof what, "losses over %d logits", int(vocabulary));
  const double V = double(vocabulary);
  sameByAnyThreads(what, y, [&](int32_t threads) {
    run(LogProbabilities, {logits.operand(), targets.operand(), y.operand(), V}, rows, threads);
  });
  expectNear(what, y, one, 1e-6f);
  sameByAnyThreads(what, dx, [&](int32_t threads) {
    run(LogProbabilitiesGradient, {dy.operand(), logits.operand(), targets.operand(), dx.operand(), V}, rows, threads);
  });
  expectNear(what, dx, oneGradient, 1e-6f);
  sameByAnyThreads(what, y, [&](int32_t threads) {
    run(CrossEntropy, {logits.operand(), ids.operand(), p.operand(), y.operand(), V, double(each)}, rows, threads);
  });
  expectNear(what, y, sparse, 1e-6f);
  sameByAnyThreads(what, dx, [&](int32_t threads) {
    run(CrossEntropyGradient, {dy.operand(), logits.operand(), ids.operand(), p.operand(), dx.operand(), V, double(each)},
        rows, threads);
  });
  expectNear(what, dx, sparseGradient, 1e-6f);
}

void checkRmsNorm(int64_t rows, int64_t columns) {
  Random random{uint64_t(rows + columns)};
  Buffer<float> dy(rows * columns), x(rows * columns), gain(columns), dx(rows * columns), into(columns);
  for (Buffer<float>* buffer : {&dy, &x, &gain}) random.fill(buffer->data(), buffer->count());
  const double epsilon = 1e-5;
  Doubles expected(size_t(dx.count())), expectedGain(size_t(columns), 0.5);
  for (int64_t t = 0; t < rows; t++) {
    double squares = 0, products = 0;
    for (int64_t d = 0; d < columns; d++) {
      const double value = double(x[t * columns + d]);
      squares += value * value;
      products += double(dy[t * columns + d]) * double(gain[d]) * value;
    }
    const double r = 1 / sqrt(squares / double(columns) + epsilon);
    for (int64_t d = 0; d < columns; d++) {
      const double value = double(x[t * columns + d]), gradient = double(dy[t * columns + d]);
      expected[size_t(t * columns + d)] = r * (gradient * double(gain[d]) - value * products / double(columns) * r * r);
      expectedGain[size_t(d)] += gradient * value * r;
    }
  }
  char what[64];
  snprintf(what, sizeof what, "rmsNorm of [%d, %d]", int(rows), int(columns));
  const int64_t units = rmsNormGradientUnits(rows);
  Buffer<float> parts(units * columns);
  sameByAnyThreads(what, into, [&](int32_t threads) {
    for (int64_t d = 0; d < columns; d++) into[d] = 0.5f;
    run(RmsNormGradient,
        {dy.operand(), x.operand(), gain.operand(), dx.operand(), parts.operand(), double(rows), double(columns), epsilon},
        units, threads);
    run(AddParts, {parts.operand(), into.operand(), double(units), double(columns), 7}, ceilingDivide(columns, 7), threads);
  });
  expectNear(what, dx, expected, 2e-6f);
  expectNear(what, into, expectedGain, 2e-6f);
}

}  // namespace

CRIA_CASE(attention_gradient) {
  checkAttentionGradient({1}, {1, 1, 8}, 1);
  checkAttentionGradient({37, 5, 1, 90}, {2, 2, 32}, 1);
  checkAttentionGradient({130, 260}, {1, 3, 64}, 1);
  checkAttentionGradient({200}, {2, 1, 20}, 30);
  checkAttentionGradient({70}, {1, 2, 256}, 1);
}

CRIA_CASE(losses) {
  for (int64_t vocabulary : {1, 7, 64, 1000, 5003}) checkLosses(5, vocabulary, 3);
  checkLosses(3, 300, 200);
}

CRIA_CASE(rms_norm_gradient) {
  checkRmsNorm(1, 64);
  checkRmsNorm(130, 45);
  checkRmsNorm(65, 7);
}

CRIA_CASE(swi_glu_gradient) {
  const int64_t count = 403;
  Random random(3);
  Buffer<float> dy(count), gate(count), up(count), gradients(2 * count);
  random.fill(dy.data(), count);
  random.fill(up.data(), count);
  Doubles expected(size_t(2 * count));
  for (int64_t i = 0; i < count; i++) {
    gate[i] = float(i - 200) / 2;
    const double z = double(gate[i]), sigmoid = 1 / (1 + exp(-z));
    expected[size_t(i)] = double(dy[i]) * double(up[i]) * sigmoid * (1 + z * (1 - sigmoid));
    expected[size_t(count + i)] = double(dy[i]) * z * sigmoid;
  }
  sameByAnyThreads("swiGlu", gradients, [&](int32_t threads) {
    run(SwiGluGradient,
        {dy.operand(), gate.operand(), up.operand(), gradients.operand(), gradients.operand() + double(count) * 4,
         double(count), 24},
        ceilingDivide(count, 24), threads);
  });
  expectNear("swiGlu", gradients, expected, 3e-7f);
}

CRIA_CASE(adam_w) {
  const int64_t count = 77;
  Random random(4);
  Buffer<float> gradient(count), state(3 * count);
  random.fill(gradient.data(), count);
  const double rate = 1e-2, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, decay = 0.1, scale = 0.5;
  Doubles p(size_t(count), 0), m(size_t(count), 0), v(size_t(count), 0), expected;
  for (int64_t i = 0; i < count; i++) {
    p[size_t(i)] = double(random.uniform());
    v[size_t(i)] = double(fabsf(random.uniform()));
  }
  const Doubles before = p, squares = v;
  for (int64_t step = 1; step <= 3; step++) {
    for (size_t i = 0; i < size_t(count); i++) {
      const double g = double(gradient[int64_t(i)]) * scale;
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      p[i] = p[i] * (1 - rate * decay) -
             rate * (m[i] / (1 - pow(beta1, double(step)))) / (sqrt(v[i] / (1 - pow(beta2, double(step)))) + epsilon);
    }
  }
  expected.insert(expected.end(), p.begin(), p.end());
  expected.insert(expected.end(), m.begin(), m.end());
  expected.insert(expected.end(), v.begin(), v.end());
  sameByAnyThreads("adamW", state, [&](int32_t threads) {
    for (int64_t i = 0; i < count; i++) {
      state[i] = float(before[size_t(i)]);
      state[count + i] = 0;
      state[2 * count + i] = float(squares[size_t(i)]);
    }
    for (int64_t step = 1; step <= 3; step++) {
      const double at = state.operand();
      run(AdamW,
          {at, gradient.operand(), at + double(count) * 4, at + double(2 * count) * 4, double(count), 9, rate, beta1,
           beta2, epsilon, decay, double(step), scale},
          ceilingDivide(count, 9), threads);
    }
  });
  expectNear("adamW", state, expected, 3e-7f);
}
