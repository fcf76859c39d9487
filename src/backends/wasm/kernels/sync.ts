// How threads share a list of commands: claims of units, and the barrier between commands. A thread that
// fails or disappears must not hang the others, so every wait is bounded and watches the failure cell.
import {
  CELL_ARRIVED,
  CELL_FAILED,
  CELL_GENERATION,
  CELL_INTERRUPT,
  CELL_PATIENCE,
  CELL_SLEEPERS,
  CELL_SPINS,
  CELL_STOP,
  CONTROL_END,
  FAILED_TIMEOUT,
  RUN_FAILED,
  RUN_INTERRUPTED,
  RUN_OK,
  SCRATCH_BYTES,
  THREAD_LINE,
  WORD_CLAIMED,
} from "../opcodes"
import { thread, threads } from "./command"

const SLICE_NANOSECONDS: i64 = 100_000_000

/**
 * Units that a thread takes at once while `left` are left: many at first, because what lies side by side in memory is read
 * faster, and single ones at last, so that all threads end together.
 */
@inline export function stretchOf(left: i32): i32 {
  return max(1, left / (2 * threads))
}

/** Takes the next `stretchOf` units of this command that nobody has. Returns their first, or a number past the last unit. */
export function claim(command: usize, units: i32): i32 {
  const cell = command + (WORD_CLAIMED << 2)
  if (ASC_FEATURE_THREADS) {
    let first = atomic.load<i32>(cell)
    while (first < units) {
      const seen = atomic.cmpxchg<i32>(cell, first, first + stretchOf(units - first))
      if (seen == first) break
      first = seen
    }
    return first
  } else {
    const first = load<i32>(cell)
    store<i32>(cell, first + stretchOf(units - first))
    return first
  }
}

/** Where a thread counts its units: in one cell for all they would wait for each other at every unit. */
@inline function unitsDone(thread: i32): usize {
  return CONTROL_END + <usize>thread * (THREAD_LINE + SCRATCH_BYTES)
}

/** Tells waiting threads that a unit is done. */
@inline export function progress(): void {
  if (ASC_FEATURE_THREADS) store<i32>(unitsDone(thread), load<i32>(unitsDone(thread)) + 1)
}

/** Units that all threads have done. */
function allUnitsDone(): i32 {
  let sum = 0
  for (let i = 0; i < threads; i++) sum += atomic.load<i32>(unitsDone(i))
  return sum
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
      for (let left = load<i32>(CELL_SPINS); left > 0; left--) {
        if (atomic.load<i32>(CELL_GENERATION) != generation) return atomic.load<i32>(CELL_STOP)
      }
      atomic.add<i32>(CELL_SLEEPERS, 1)
      let before = allUnitsDone()
      let idle = 0
      while (atomic.load<i32>(CELL_GENERATION) == generation) {
        if (atomic.load<i32>(CELL_FAILED) != 0) return RUN_FAILED
        if (atomic.wait<i32>(CELL_GENERATION, generation, SLICE_NANOSECONDS) == AtomicWaitResult.TIMED_OUT) {
          const now = allUnitsDone()
          idle = now == before ? idle + 1 : 0
          before = now
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
