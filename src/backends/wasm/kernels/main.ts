// The program of one thread in one heap: it runs lists of commands together with the other threads.
import {
  CELL_COUNT,
  CELL_EPOCH,
  CELL_LIST,
  CELL_MODE,
  CELL_SPINS,
  CELL_THREADS,
  COMMAND_BYTES,
  Kind,
  MODE_RUN,
  Op,
  RUN_FAILED,
  RUN_OK,
  WORD_NO_BARRIER,
  WORD_OP,
  WORD_UNITS,
} from "../opcodes"
import { attentionUnit } from "./attention"
import { attentionGradientUnit } from "./attention-gradient"
import { copyPageUnit, storeUnit } from "./cache"
import { arg, setThread } from "./command"
import { setConstants } from "./constants"
import { addUnit, ropeUnit, rmsNormUnit, swiGluUnit } from "./elementwise"
import {
  adamWUnit,
  addRowsUnit,
  fillUnit,
  gainGradientUnit,
  gatherColumnsUnit,
  packWeightUnit,
  rmsNormGradientUnit,
  scaleUnit,
  squaresUnit,
  sumUnit,
  swiGluGradientUnit,
} from "./gradients"
import {
  crossEntropyGradientUnit,
  crossEntropyUnit,
  logProbabilitiesGradientUnit,
  logProbabilitiesUnit,
} from "./losses"
import { interleaveUnit, matrixDenseUnit } from "./matrix-dense"
import { matrixIntUnit } from "./matrix-int"
import { quantizeUnit } from "./quantize"
import { copyRowsUnit, decodeUnit, embeddingUnit } from "./rows"
import { barrier, claim, progress, stretchOf } from "./sync"
import { vectorDenseUnit } from "./vector-dense"
import { vectorIntUnit } from "./vector-int"

export { pack } from "./pack"

// @ts-ignore: decorator
@external("host", "copy") declare function hostCopy(command: usize): void
// @ts-ignore: decorator
@external("host", "run") declare function hostRun(command: usize): void

/** Tells this instance which thread of how many it serves, where its scratch is, and whether to use wide tiles. */
export function setup(number: i32, count: i32, scratchAddress: usize, wideVectors: i32): void {
  setThread(number, count, scratchAddress, wideVectors)
  setConstants()
}

function runUnit(op: i32, command: usize, unit: i32): void {
  switch (op) {
    case Op.CopyBetweenHeaps: return hostCopy(command)
    case Op.Embedding: return embeddingUnit(command, unit)
    case Op.CopyRows: return copyRowsUnit(command, unit)
    case Op.Quantize: return quantizeUnit(command, unit)
    case Op.LinearVector:
      if (arg(command, 7) >= Kind.Int8) return vectorIntUnit(command, unit)
      return vectorDenseUnit(command, unit)
    case Op.LinearMatrix:
      if (arg(command, 7) >= Kind.Int8) return matrixIntUnit(command, unit)
      return matrixDenseUnit(command, unit)
    case Op.RmsNorm: return rmsNormUnit(command, unit)
    case Op.Rope: return ropeUnit(command, unit)
    case Op.SwiGlu: return swiGluUnit(command, unit)
    case Op.Add: return addUnit(command, unit)
    case Op.StoreKeysValues: return storeUnit(command, unit)
    case Op.Attention: return attentionUnit(command, unit)
    case Op.CopyPage: return copyPageUnit(command)
    case Op.Interleave: return interleaveUnit(command, unit)
    case Op.PackWeight: return packWeightUnit(command, unit)
    case Op.GatherColumns: return gatherColumnsUnit(command, unit)
    case Op.DecodeWeight: return decodeUnit(command, unit)
    case Op.AddRows: return addRowsUnit(command, unit)
    case Op.RmsNormGradient: return rmsNormGradientUnit(command, unit)
    case Op.GainGradient: return gainGradientUnit(command, unit)
    case Op.AttentionGradient: return attentionGradientUnit(command, unit)
    case Op.SwiGluGradient: return swiGluGradientUnit(command, unit)
    case Op.LogProbabilities: return logProbabilitiesUnit(command, unit)
    case Op.LogProbabilitiesGradient: return logProbabilitiesGradientUnit(command, unit)
    case Op.CrossEntropy: return crossEntropyUnit(command, unit)
    case Op.CrossEntropyGradient: return crossEntropyGradientUnit(command, unit)
    case Op.Scale: return scaleUnit(command, unit)
    case Op.Fill: return fillUnit(command, unit)
    case Op.Squares: return squaresUnit(command, unit)
    case Op.Sum: return sumUnit(command)
    case Op.AdamW: return adamWUnit(command, unit)
    default: unreachable()
  }
}

/** This thread's share of one command. */
export function execute(command: usize): void {
  const op = load<i32>(command + (WORD_OP << 2))
  if (op == Op.RunInHeap) return hostRun(command)
  const units = load<i32>(command + (WORD_UNITS << 2))
  for (let unit = claim(command, units); unit < units; unit = claim(command, units)) {
    for (const end = unit + stretchOf(units - unit); unit < end; unit++) {
      runUnit(op, command, unit)
      progress()
    }
  }
}

/** Runs a list with `threads` threads, this one among them. */
export function run(list: usize, count: i32, threads: i32): i32 {
  // An interrupt that came before the list ends it before its first command.
  let state = barrier(threads)
  const end = list + <usize>count * COMMAND_BYTES
  for (let command = list; command < end && state == RUN_OK; command += COMMAND_BYTES) {
    execute(command)
    if (!load<i32>(command + (WORD_NO_BARRIER << 2))) state = barrier(threads)
  }
  return state
}

/** Publishes a list to the workers and runs it with them. */
export function lead(list: usize, count: i32, threads: i32): i32 {
  if (ASC_FEATURE_THREADS) {
    if (threads > 1) {
      atomic.store<i32>(CELL_LIST, <i32>list)
      atomic.store<i32>(CELL_COUNT, count)
      atomic.store<i32>(CELL_THREADS, threads)
      atomic.store<i32>(CELL_MODE, MODE_RUN)
      atomic.add<i32>(CELL_EPOCH, 1)
      atomic.notify(CELL_EPOCH, -1)
    }
  }
  return run(list, count, threads)
}

/**
 * A worker's life: waits for the epoch to move on from `seen` and runs the list; returns the mode when it is
 * another than MODE_RUN, or -1 when a run failed.
 */
export function serve(seen: i32): i32 {
  if (ASC_FEATURE_THREADS) {
    while (true) {
      let spins = load<i32>(CELL_SPINS)
      while (atomic.load<i32>(CELL_EPOCH) == seen) {
        if (--spins < 0) atomic.wait<i32>(CELL_EPOCH, seen, -1)
      }
      seen = atomic.load<i32>(CELL_EPOCH)
      const mode = atomic.load<i32>(CELL_MODE)
      if (mode != MODE_RUN) return mode
      const state = run(
        <usize>atomic.load<i32>(CELL_LIST), atomic.load<i32>(CELL_COUNT), atomic.load<i32>(CELL_THREADS),
      )
      if (state == RUN_FAILED) return -1
    }
  }
  return -1
}
