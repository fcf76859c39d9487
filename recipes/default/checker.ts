// Judges the answers of rejection sampling by the checks that stand beside each prompt: 1 right, 0 wrong, and of the
// right ones the shorter before the longer.
import { type Answer, type Check, passes } from "./text/check.js"

export function check(example: { readonly checks?: readonly Check[] }, answer: Answer): number {
  if (!passes(example.checks ?? [], answer)) return 0
  return 1 + 1 / (1 + answer.text.length)
}
