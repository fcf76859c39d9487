// The memory of one backend: stretches of the address space, taken and given back whole. Everything is freed with the
// object. Not for several threads at once.
#pragma once

#include <stdint.h>

#include <map>

namespace cria {

/** Gives back what the C library keeps of the memory that was freed in this process, where it can be asked to. */
void trimHeap();

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  /**
   * Address of `bytes` of zeros, aligned to a page at least; nullptr when there are none. The system may use huge pages
   * for what lies behind the first `small` bytes: of a huge page all is resident when one byte of it is.
   */
  void* allocate(uint64_t bytes, uint64_t small = 0);
  /** Address space only, to be used after `commit`; otherwise as `allocate`. */
  void* reserve(uint64_t bytes, uint64_t small = 0);
  /** Makes a stretch of reserved space usable. False when there is no memory for it. */
  bool commit(void* address, uint64_t bytes);
  /** Gives the memory of a stretch back; it is usable still, and holds zeros. */
  void discard(void* address, uint64_t bytes);
  /** Maps a part of a file, to be read only; the offset may be any. nullptr on failure. */
  const void* map(int file, uint64_t offset, uint64_t bytes);
  /** Gives back what one of the above returned. False for any other address. */
  bool release(const void* address);
  /** Whether a stretch lies within one that was taken. */
  bool contains(const void* address, uint64_t bytes) const;

 private:
  struct Stretch {
    void* base;
    uint64_t whole;
    uint64_t bytes;
  };
  void* take(uint64_t bytes, bool usable, uint64_t small);
  static void giveBack(const Stretch& stretch);
  /** By the address that was given out. */
  std::map<uintptr_t, Stretch> stretches_;
};

}  // namespace cria
