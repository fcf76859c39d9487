// Runs the cases: one line each, exit status 1 where one failed. Arguments are beginnings of names.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <thread>
#include <vector>

#include "check.h"

namespace cria::test {
namespace {

Case* firstCase = nullptr;
const Case* running = nullptr;
int failures = 0;

void* aligned(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, bytes) != 0) abort();
  return memory;
}

}  // namespace

Case::Case(const char* name, void (*body)()) : name(name), body(body), next(firstCase) { firstCase = this; }

uint64_t Random::bits() {
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return state_ * 2685821657736338717u;
}

template <class T>
void* Buffer<T>::take(int64_t bytes) {
  void* memory = aligned(bytes ? size_t(bytes) : 1);
  memset(memory, 0xa5, size_t(bytes));
  return memory;
}
template <class T>
void Buffer<T>::giveBack(void* memory) {
  free(memory);
}
template class Buffer<float>;
template class Buffer<int32_t>;
template class Buffer<uint16_t>;
template class Buffer<uint8_t>;
template class Buffer<double>;

void run(Command command, std::initializer_list<double> args, int64_t units, int32_t threads, uint64_t seed) {
  // A copy of exactly the operands: reading one too many is noticed.
  std::vector<double> operands(args);
  operands.shrink_to_fit();
  std::atomic<int64_t> claimed{0};
  auto work = [&](int32_t index) {
    Random random(seed * 131 + uint64_t(index));
    uint8_t* scratch = static_cast<uint8_t*>(aligned(size_t(scratchBytes)));
    Thread thread{index, threads, scratch};
    int64_t begin = claimed.load();
    while (begin < units) {
      const int64_t rest = units - begin;
      const int64_t share = 1 + random.below(random.below(2) ? rest : (rest < 4 ? rest : 4));
      if (!claimed.compare_exchange_weak(begin, begin + share)) continue;
      command(operands.data(), begin, begin + share, thread);
      begin = claimed.load();
    }
    free(scratch);
  };
  std::vector<std::thread> others;
  for (int32_t index = 1; index < threads; index++) others.emplace_back(work, index);
  work(0);
  for (std::thread& other : others) other.join();
}

void fail(const char* format, ...) {
  if (failures++ > 20) return;
  printf("  %s: ", running ? running->name : "");
  va_list rest;
  va_start(rest, format);
  vprintf(format, rest);
  va_end(rest);
  printf("\n");
}

void expectClose(const char* what, const float* actual, const float* expected, int64_t count, float tolerance) {
  float scale = 1;
  for (int64_t i = 0; i < count; i++) scale = fmaxf(scale, fabsf(expected[i]));
  for (int64_t i = 0; i < count; i++) {
    if (fabsf(actual[i] - expected[i]) <= tolerance * scale) continue;
    return fail("%s: element %lld is %.9g, expected %.9g", what, static_cast<long long>(i), double(actual[i]),
                double(expected[i]));
  }
}

void expectSame(const char* what, const void* actual, const void* expected, int64_t bytes) {
  const uint8_t* a = static_cast<const uint8_t*>(actual);
  const uint8_t* b = static_cast<const uint8_t*>(expected);
  for (int64_t i = 0; i < bytes; i++) {
    if (a[i] != b[i]) return fail("%s: byte %lld is %d, expected %d", what, static_cast<long long>(i), a[i], b[i]);
  }
}

}  // namespace cria::test

using namespace cria::test;

int main(int count, char** names) {
  int failedCases = 0;
  for (const Case* c = firstCase; c; c = c->next) {
    bool wanted = count < 2;
    for (int i = 1; i < count; i++) wanted = wanted || strncmp(c->name, names[i], strlen(names[i])) == 0;
    if (!wanted) continue;
    running = c;
    const int before = failures;
    c->body();
    if (failures > before) failedCases++;
    printf("%s %s\n", failures > before ? "FAILED" : "ok", c->name);
    fflush(stdout);
  }
  return failedCases > 0 ? 1 : 0;
}
