#include "memory.h"

#ifdef _WIN32
#error "the addon's memory is written for POSIX systems"
#endif

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>

namespace cria {
namespace {

constexpr uint64_t hugePage = 2 << 20;

uint64_t pageBytes() {
  static const uint64_t bytes = uint64_t(sysconf(_SC_PAGESIZE));
  return bytes;
}

uint64_t roundUp(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

}  // namespace

void trimHeap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

Memory::~Memory() {
  for (const auto& entry : stretches_) giveBack(entry.second);
}

void* Memory::take(uint64_t bytes, bool usable, uint64_t small) {
  // Large stretches begin at a boundary of huge pages, which the system then uses where it can.
  const bool large = bytes >= 2 * hugePage;
  const uint64_t whole = roundUp(bytes == 0 ? 1 : bytes, pageBytes()) + (large ? hugePage : 0);
  if (whole < bytes) return nullptr;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  if (!usable) flags |= MAP_NORESERVE;
#endif
  void* base = mmap(nullptr, whole, usable ? PROT_READ | PROT_WRITE : PROT_NONE, flags, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  uintptr_t address = uintptr_t(base);
  if (large) address = roundUp(address, hugePage);
#ifdef MADV_HUGEPAGE
  small = std::min(roundUp(small, hugePage), bytes);
  if (large && small > 0) madvise(reinterpret_cast<void*>(address), small, MADV_NOHUGEPAGE);
  if (large && small < bytes) madvise(reinterpret_cast<void*>(address + small), bytes - small, MADV_HUGEPAGE);
#endif
  stretches_[address] = {base, whole, bytes};
  return reinterpret_cast<void*>(address);
}

void* Memory::allocate(uint64_t bytes, uint64_t small) { return take(bytes, true, small); }

void* Memory::reserve(uint64_t bytes, uint64_t small) { return take(bytes, false, small); }

bool Memory::commit(void* address, uint64_t bytes) {
  const uintptr_t first = uintptr_t(address) / pageBytes() * pageBytes();
  const uintptr_t last = roundUp(uintptr_t(address) + bytes, pageBytes());
  return mprotect(reinterpret_cast<void*>(first), last - first, PROT_READ | PROT_WRITE) == 0;
}

void Memory::discard(void* address, uint64_t bytes) {
  // Only whole pages within the stretch.
  const uintptr_t first = roundUp(uintptr_t(address), pageBytes());
  const uintptr_t last = (uintptr_t(address) + bytes) / pageBytes() * pageBytes();
  if (last <= first) return;
#ifdef __linux__
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
#else
  // Elsewhere the advice does not promise zeros; fresh pages in the place of the old ones do.
  mmap(reinterpret_cast<void*>(first), last - first, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
}

const void* Memory::map(int file, uint64_t offset, uint64_t bytes) {
  const uint64_t before = offset % pageBytes();
  void* base = mmap(nullptr, bytes + before, PROT_READ, MAP_PRIVATE, file, off_t(offset - before));
  if (base == MAP_FAILED) return nullptr;
  const uintptr_t address = uintptr_t(base) + before;
  stretches_[address] = {base, bytes + before, bytes};
  return reinterpret_cast<void*>(address);
}

bool Memory::release(const void* address) {
  const auto found = stretches_.find(uintptr_t(address));
  if (found == stretches_.end()) return false;
  giveBack(found->second);
  stretches_.erase(found);
  return true;
}

bool Memory::contains(const void* address, uint64_t bytes) const {
  auto next = stretches_.upper_bound(uintptr_t(address));
  if (next == stretches_.begin()) return false;
  const auto& [start, stretch] = *--next;
  const uint64_t before = uintptr_t(address) - start;
  return before <= stretch.bytes && bytes <= stretch.bytes - before;
}

void Memory::giveBack(const Stretch& stretch) { munmap(stretch.base, stretch.whole); }

}  // namespace cria
