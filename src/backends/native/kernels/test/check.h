// The frame of the kernel tests: cases that register themselves, random numbers, buffers whose every byte beyond the
// end is watched by AddressSanitizer, and a runner that cuts commands at random places among threads.
// Kernels are called by their names (kernels.h); the build is of one instruction set, CRIA_ISA.
#pragma once

#include <stdint.h>

#include <initializer_list>
#include <memory>

#include "../kernels.h"

namespace cria::test {

/** xorshift64*: the same numbers everywhere. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint64_t bits();
  /** From 0 to `count` - 1. */
  int64_t below(int64_t count) { return int64_t(bits() >> 11) % count; }
  /** Between -1 and 1. */
  float uniform() { return float(int64_t(bits() >> 40)) * 0x1p-23f - 1.0f; }
  void fill(float* values, int64_t count) {
    for (int64_t i = 0; i < count; i++) values[i] = uniform();
  }

 private:
  uint64_t state_;
};

/** Exactly `count` elements, aligned to 64, filled with bytes that are not zero. */
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count) : count_(count), data_(static_cast<T*>(take(count * int64_t(sizeof(T))))) {}
  ~Buffer() { giveBack(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* data() { return data_; }
  int64_t count() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }
  /** The address as an operand of a command. */
  double operand() const { return double(reinterpret_cast<uintptr_t>(data_)); }

 private:
  static void* take(int64_t bytes);
  static void giveBack(void* memory);
  int64_t count_;
  T* data_;
};

/** Runs a command by `threads` threads that claim ranges of random length. */
void run(Command command, std::initializer_list<double> args, int64_t units, int32_t threads, uint64_t seed = 1);

/** Every value within `tolerance` of the expected one, in units of the largest expected value where that exceeds 1. */
void expectClose(const char* what, const float* actual, const float* expected, int64_t count, float tolerance);
/** The same bits. */
void expectSame(const char* what, const void* actual, const void* expected, int64_t bytes);
/** Fails the running case. */
[[gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

/** A case registers itself; main runs all of them, or those whose names begin with an argument. */
struct Case {
  Case(const char* name, void (*body)());
  const char* name;
  void (*body)();
  Case* next;
};

#define CRIA_CASE(id)                                   \
  static void id();                                     \
  static ::cria::test::Case register_##id(#id, id);     \
  static void id()

}  // namespace cria::test
