// Looks for tokens ahead of those that are taken, so that the processor waits for many of their records at once.
import { longest, longestEnd, touchParts, touchRecord } from "./tokens"

/** Most tokens that are looked for ahead. */
const MOST: usize = 32
/** Bytes of a guess: where the token begins, the token, where it ends. */
const GUESS: usize = 12

let guesses: usize = 0
let guess: usize = 0
let guessesEnd: usize = 0
let touched: u32 = 0

/** Takes 384 bytes. */
export function setAhead(address: usize): void {
  guesses = address
}

/** Finds the longest tokens from `at` on, each where the one before ends. */
export function lookAhead(at: usize, end: usize): void {
  guess = guesses
  let to = guesses
  while (at < end && to < guesses + MOST * GUESS) {
    store<usize>(to, at)
    store<i32>(to, longest(at, end), 4)
    at = longestEnd
    store<usize>(to, at, 8)
    to += GUESS
  }
  guessesEnd = to
  let all: u32 = 0
  for (let i = guesses; i < to; i += GUESS) all |= touchRecord(load<i32>(i, 4))
  for (let i = guesses; i < to; i += GUESS) all |= touchParts(load<i32>(i, 4))
  touched = all
}

/** Where the token that `longestAhead` returned ends. */
export let aheadEnd: usize = 0

/** The longest token at [at, end), in a piece for whose start `lookAhead` was called. */
export function longestAhead(at: usize, end: usize): i32 {
  while (guess < guessesEnd && load<usize>(guess) < at) guess += GUESS
  if (guess == guessesEnd) lookAhead(at, end)
  if (load<usize>(guess) == at) {
    aheadEnd = load<usize>(guess, 8)
    return load<i32>(guess, 4)
  }
  const token = longest(at, end)
  aheadEnd = longestEnd
  return token
}
