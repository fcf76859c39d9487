#include "pool.h"

namespace cria {
namespace {

/** About 50 microseconds of waiting awake. */
constexpr int32_t awakeSpins = 1500;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

uint8_t* aligned(const std::unique_ptr<uint8_t[]>& memory) {
  return reinterpret_cast<uint8_t*>((uintptr_t(memory.get()) + 63) / 64 * 64);
}

}  // namespace

Pool::Pool(int32_t threads)
    : threads_(threads), spins_(threads <= int32_t(std::thread::hardware_concurrency()) ? awakeSpins : 0) {
  for (int32_t index = 0; index < threads; index++) scratch_.emplace_back(new uint8_t[scratchBytes + 64]);
  try {
    for (int32_t index = 1; index < threads; index++) workers_.emplace_back([this, index] { work(index); });
  } catch (...) {
    quit_ = true;
    wake();
    for (std::thread& worker : workers_) worker.join();
    throw;
  }
}

Pool::~Pool() {
  quit_ = true;
  wake();
  for (std::thread& worker : workers_) worker.join();
}

template <class Condition>
void Pool::wait(Condition condition) {
  for (int32_t spin = 0; spin < spins_; spin++) {
    if (condition()) return;
    pause();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  // Announced before the condition is looked at again: whoever makes it true after that sees a sleeper.
  sleepers_.fetch_add(1);
  changed_.wait(lock, condition);
  sleepers_.fetch_sub(1);
}

void Pool::wake() {
  if (sleepers_.load() == 0) return;
  // Taken and left, so that a sleeper is either before its look at the condition or in its sleep.
  { std::lock_guard<std::mutex> lock(mutex_); }
  changed_.notify_all();
}

bool Pool::run(Task* tasks, int64_t count, const std::atomic<int32_t>* interrupt) {
  tasks_ = tasks;
  count_ = count;
  interrupt_ = interrupt;
  stopped_ = false;
  if (threads_ > 1) {
    open_.store(++lists_);
    wake();
  }
  Thread thread{0, threads_, aligned(scratch_[0])};
  runTasks(thread);
  if (threads_ > 1) {
    // No thread may still look at the tasks when the caller takes them away.
    open_.store(0);
    wait([this] { return inside_.load() == 0; });
  }
  return !stopped_;
}

void Pool::work(int32_t index) {
  Thread thread{index, threads_, aligned(scratch_[index])};
  uint64_t done = 0;
  for (;;) {
    wait([this, done] {
      const uint64_t open = open_.load();
      return quit_.load() || (open != 0 && open != done);
    });
    if (quit_.load()) return;
    // Announced before the list is looked at again: the leader closes the list first and then counts.
    inside_.fetch_add(1);
    const uint64_t open = open_.load();
    if (open != 0 && open != done) {
      runTasks(thread);
      done = open;
    }
    if (inside_.fetch_sub(1) == 1) wake();
  }
}

bool Pool::interrupted() {
  if (stopped_.load(std::memory_order_relaxed)) return true;
  if (!interrupt_ || interrupt_->load(std::memory_order_relaxed) == 0) return false;
  stopped_.store(true);
  wake();
  return true;
}

void Pool::runTasks(Thread& thread) {
  for (int64_t i = 0; i < count_; i++) {
    Task& task = tasks_[i];
    int64_t begin = task.claimed.load(std::memory_order_relaxed);
    while (begin < task.units) {
      if (interrupted()) return;
      // Large stretches first, then smaller ones, so that the threads end together.
      const int64_t rest = task.units - begin;
      const int64_t share = (rest + 2 * threads_ - 1) / (2 * threads_);
      if (!task.claimed.compare_exchange_weak(begin, begin + share, std::memory_order_relaxed)) continue;
      task.command(task.args, begin, begin + share, thread);
      if (task.finished.fetch_add(share) + share == task.units) wake();
      begin = task.claimed.load(std::memory_order_relaxed);
    }
    if (task.finished.load(std::memory_order_acquire) < task.units) {
      wait([this, &task] { return task.finished.load() >= task.units || stopped_.load(); });
      if (stopped_.load()) return;
    }
  }
}

}  // namespace cria
