// The echo of a prompt in /v1/completions, with the probability that the model gave each of its tokens.
import { probability } from "./answers.js"
import { badRequest } from "./api-error.js"
import type { Work } from "./work.js"

/** Four lists of equal length, as the older API reports probabilities. */
export interface Logprobs {
  tokens: string[]
  /** null for a token that nothing stands before. */
  token_logprobs: (number | null)[]
  top_logprobs: (Record<string, number> | null)[]
  text_offset: number[]
}

export const noLogprobs = (): Logprobs => ({
  tokens: [],
  token_logprobs: [],
  top_logprobs: [],
  text_offset: [],
})

/** Logits that one request may ask for at a time: 256 MiB of them. */
const mostLogits = 2 ** 26

/** @throws ApiError 400 where the logits of the prompt take too much memory. */
export async function echoOf(
  work: Work,
  ids: readonly number[],
  alternatives: number | undefined,
): Promise<{ text: string; logprobs: Logprobs | null }> {
  const { tokenizer, config } = work.llama
  const known = ids.filter((id) => id < tokenizer.size)
  const text = tokenizer.decode(known)
  if (alternatives === undefined) return { text, logprobs: null }
  const V = config.vocabularySize
  if (ids.length * V > mostLogits)
    throw badRequest(
      `echo with logprobs takes prompts of up to ${Math.floor(mostLogits / V)} tokens of this model, not ${ids.length}`,
      "echo",
    )
  const logits = await work.llama.logits(ids, { adapter: work.adapter, signal: work.signal })
  const logprobs = noLogprobs()
  const decoder = tokenizer.decoder()
  let offset = 0
  for (const [i, id] of ids.entries()) {
    const row = i === 0 ? undefined : logProbabilities(logits.subarray((i - 1) * V, i * V))
    logprobs.tokens.push(probability(tokenizer, id, 0).token)
    logprobs.token_logprobs.push(row ? Math.max(row[id], -9999) : null)
    logprobs.top_logprobs.push(
      row
        ? Object.fromEntries(
            largest(row, alternatives).map((other) => {
              const { token, logprob } = probability(tokenizer, other, row[other])
              return [token, logprob]
            }),
          )
        : null,
    )
    logprobs.text_offset.push(offset)
    offset += (id < tokenizer.size ? decoder.push(id) : "").length
  }
  return { text, logprobs }
}

/** log p_i = x_i - log sum exp x, in place. */
function logProbabilities(logits: Float32Array): Float32Array {
  let max = Number.NEGATIVE_INFINITY
  for (const value of logits) if (value > max) max = value
  let sum = 0
  for (const value of logits) sum += Math.exp(value - max)
  const shift = max + Math.log(sum)
  for (let i = 0; i < logits.length; i++) logits[i] -= shift
  return logits
}

/** Ids of the largest values, the largest first, of equals the lower id. */
function largest(values: Float32Array, count: number): number[] {
  const best: number[] = []
  if (count === 0) return best
  for (let id = 0; id < values.length; id++) {
    if (best.length === count && !(values[id] > values[best[count - 1]])) continue
    let at = best.length
    while (at > 0 && values[id] > values[best[at - 1]]) at--
    best.splice(at, 0, id)
    if (best.length > count) best.pop()
  }
  return best
}
