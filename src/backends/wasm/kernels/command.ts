// Reading a command's operands, and the state of the instance that a thread runs.
import { WORD_ARGS, WORD_UNITS } from "../opcodes"

/** This thread's number, how many there are, and this one's scratch memory in this heap; set once by `setup`. */
export let thread: i32 = 0
export let threads: i32 = 1
export let scratch: usize = 0
/** Non-zero where the engine joins two 128-bit operations into one of 256: other tile shapes pay then. */
export let wide: i32 = 0

export function setThread(number: i32, count: i32, scratchAddress: usize, wideVectors: i32): void {
  thread = number
  threads = count
  scratch = scratchAddress
  wide = wideVectors
}

@inline export function arg(command: usize, index: i32): i32 {
  return load<i32>(command + ((WORD_ARGS + index) << 2))
}

@inline export function address(command: usize, index: i32): usize {
  return load<u32>(command + ((WORD_ARGS + index) << 2))
}

@inline export function real(command: usize, index: i32): f32 {
  return load<f32>(command + ((WORD_ARGS + index) << 2))
}

/** Number of units that the command is cut into. */
@inline export function unitsOf(command: usize): i32 {
  return load<i32>(command + (WORD_UNITS << 2))
}
