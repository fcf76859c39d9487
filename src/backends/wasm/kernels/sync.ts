// How threads share a list of commands: claims of units, and the barrier between commands. A thread that
// fails or disappears must not hang the others, so every wait is bounded and watches the failure cell.
import {
  CELL_ARRIVED,
  CELL_FAILED,
  CELL_GENERATION,
  CELL_INTERRUPT,
  CELL_PATIENCE,
  CELL_PROGRESS,
  CELL_SLEEPERS,
  CELL_STOP,
  FAILED_TIMEOUT,
  RUN_FAILED,
  RUN_INTERRUPTED,
  RUN_OK,
  WORD_CLAIMED,
} from "../opcodes"

/** Looks at the cell before a thread goes to sleep: some ten microseconds. */
const SPINS = 3000
const SLICE_NANOSECONDS: i64 = 100_000_000

/** The next unit of this command that nobody has taken. */
@inline export function claim(command: usize): i32 {
  if (ASC_FEATURE_THREADS) {
    atomic.add<i32>(CELL_PROGRESS, 1)
    return atomic.add<i32>(command + (WORD_CLAIMED << 2), 1)
  } else {
    const unit = load<i32>(command + (WORD_CLAIMED << 2))
    store<i32>(command + (WORD_CLAIMED << 2), unit + 1)
    return unit
  }
}

function verdict(): i32 {
  if (ASC_FEATURE_THREADS) {
    if (atomic.load<i32>(CELL_FAILED) != 0) return RUN_FAILED
    return atomic.load<i32>(CELL_INTERRUPT) != 0 ? RUN_INTERRUPTED : RUN_OK
  } else {
    return load<i32>(CELL_INTERRUPT) != 0 ? RUN_INTERRUPTED : RUN_OK
  }
}

/** Waits for all threads. All of them get the same answer: RUN_OK, or why the list ends here. */
export function barrier(threads: i32): i32 {
  if (threads == 1) return verdict()
  if (ASC_FEATURE_THREADS) {
    const generation = atomic.load<i32>(CELL_GENERATION)
    if (atomic.add<i32>(CELL_ARRIVED, 1) == threads - 1) {
      atomic.store<i32>(CELL_ARRIVED, 0)
      atomic.store<i32>(CELL_STOP, verdict())
      atomic.add<i32>(CELL_GENERATION, 1)
      if (atomic.load<i32>(CELL_SLEEPERS) != 0) atomic.notify(CELL_GENERATION, -1)
    } else {
      for (let spin = 0; spin < SPINS; spin++) {
        if (atomic.load<i32>(CELL_GENERATION) != generation) return atomic.load<i32>(CELL_STOP)
      }
      atomic.add<i32>(CELL_SLEEPERS, 1)
      let progress = atomic.load<i32>(CELL_PROGRESS)
      let idle = 0
      while (atomic.load<i32>(CELL_GENERATION) == generation) {
        if (atomic.load<i32>(CELL_FAILED) != 0) return RUN_FAILED
        if (atomic.wait<i32>(CELL_GENERATION, generation, SLICE_NANOSECONDS) == AtomicWaitResult.TIMED_OUT) {
          const now = atomic.load<i32>(CELL_PROGRESS)
          idle = now == progress ? idle + 1 : 0
          progress = now
          if (idle >= atomic.load<i32>(CELL_PATIENCE)) {
            atomic.store<i32>(CELL_FAILED, FAILED_TIMEOUT)
            atomic.notify(CELL_GENERATION, -1)
            return RUN_FAILED
          }
        }
      }
      atomic.sub<i32>(CELL_SLEEPERS, 1)
    }
    return atomic.load<i32>(CELL_STOP)
  } else {
    return RUN_OK
  }
}
