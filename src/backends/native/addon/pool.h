// The threads of one backend. The calling thread is one of them; the others sleep between lists of commands.
#pragma once

#include <stdint.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../kernels/command.h"

namespace cria {

/** One command of a list, and how far it is. */
struct alignas(64) Task {
  Command command;
  const double* args;
  int64_t units;
  std::atomic<int64_t> claimed{0};
  /** On a line of its own: finishing must not disturb those that claim. */
  alignas(64) std::atomic<int64_t> finished{0};
};

class Pool {
 public:
  /** Starts `threads - 1` threads. Throws std::system_error. */
  explicit Pool(int32_t threads);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  int32_t threads() const { return threads_; }

  /**
   * Runs the first `count` tasks, one after the other. Returns false when `interrupt` (may be null) became non-zero:
   * then some have not run. Only one caller at a time.
   */
  bool run(Task* tasks, int64_t count, const std::atomic<int32_t>* interrupt);

 private:
  void work(int32_t index);
  void runTasks(Thread& thread);
  bool interrupted();
  /** Waits until a condition holds: first awake, then asleep. Whoever makes it true calls wake(). */
  template <class Condition>
  void wait(Condition condition);
  void wake();

  const int32_t threads_;
  /** How long to wait awake: not at all when there are more threads than cores. */
  const int32_t spins_;
  std::vector<std::unique_ptr<uint8_t[]>> scratch_;
  std::vector<std::thread> workers_;

  Task* tasks_ = nullptr;
  int64_t count_ = 0;
  const std::atomic<int32_t>* interrupt_ = nullptr;
  /** Number of the list that is open to threads; 0 while none is. */
  alignas(64) std::atomic<uint64_t> open_{0};
  uint64_t lists_ = 0;
  /** Threads that look at the open list. */
  alignas(64) std::atomic<int32_t> inside_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> quit_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  alignas(64) std::atomic<int32_t> sleepers_{0};
};

}  // namespace cria
