// The checker of rejection sampling: an answer is as good as whether it passes the checks beside its prompt.
import { type Answer, type Check, passes } from "./check.js"

export const check = ({ checks }: { readonly checks: readonly Check[] }, answer: Answer): boolean =>
  passes(checks, answer)
