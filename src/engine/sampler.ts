// From the logits of one token to the next token. Knows no sequence, no text and no thread.
//
// The order of the steps: repetition penalty, frequency and presence penalties, logit bias, temperature (as in
// transformers and Meta's own code, before the filters), top-k, typical-p, top-p, min-p, draw. Each filter sees the
// probabilities of what the one before it left, made to add up to 1 again.
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import { exponential, negligible } from "./exponential.js"
import { type Candidates, orderedBits, Selector } from "./selection.js"

export interface SamplingSettings {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly typicalP: number
  readonly repetitionPenalty: number
  readonly frequencyPenalty: number
  readonly presencePenalty: number
  /** How many of the latest tokens the repetition penalty looks at; undefined: all. */
  readonly penaltyTokens?: number
  readonly logitBias: readonly (readonly [token: number, bias: number])[]
}

/** The tokens of a sequence as the penalties want to see them. */
export interface TokenHistory {
  /** Number of tokens, those of the prompt included. */
  readonly length: number
  token(index: number): number
  /** Tokens of the prompt, each once. */
  readonly promptTokens: ReadonlySet<number>
  /** Generated tokens and how often each came. */
  readonly generated: ReadonlyMap<number, number>
}

/** Changes the logits [V] in place by the penalties and the bias. */
export function penalize(logits: Float32Array, settings: SamplingSettings, history: TokenHistory): void {
  const { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyTokens, logitBias } = settings
  if (repetitionPenalty !== 1) {
    const repeat = (token: number) => {
      logits[token] =
        logits[token] > 0 ? logits[token] / repetitionPenalty : logits[token] * repetitionPenalty
    }
    if (penaltyTokens === undefined || penaltyTokens >= history.length) {
      history.promptTokens.forEach(repeat)
      for (const token of history.generated.keys()) if (!history.promptTokens.has(token)) repeat(token)
    } else {
      const latest = new Set<number>()
      for (let i = history.length - penaltyTokens; i < history.length; i++) latest.add(history.token(i))
      latest.forEach(repeat)
    }
  }
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const [token, times] of history.generated) {
      logits[token] -= frequencyPenalty * times + presencePenalty
    }
  }
  for (const [token, bias] of logitBias) logits[token] += bias
}

/** The largest of the logits and the lowest id that has it. Throws when there is none, or one is no number. */
export function likeliest(logits: Float32Array): { token: number; logit: number } {
  let logit = -Infinity
  let token = -1
  let broken = false
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]
    // One comparison for most: NaN is not at most anything.
    if (value <= logit) continue
    if (Number.isNaN(value)) broken = true
    else {
      logit = value
      token = id
    }
  }
  if (broken || logit === Infinity) {
    throw new InvalidFileError(
      "the model computed a logit that is not a finite number: its weights are damaged, or too large for their kind",
    )
  }
  if (token < 0)
    throw new InvalidOptionError("no token is left to choose: the logit bias forbids all of them")
  return { token, logit }
}

/** What choosing among a vocabulary takes in memory. */
class Scratch {
  readonly candidates: Candidates
  readonly selector: Selector
  readonly surprise: Float32Array

  constructor(vocabularySize: number) {
    this.candidates = {
      count: 0,
      ids: new Int32Array(vocabularySize),
      weights: new Float64Array(vocabularySize),
    }
    this.selector = new Selector(vocabularySize)
    this.surprise = new Float32Array(vocabularySize)
  }
}

export class Sampler {
  #made: Scratch | undefined

  constructor(readonly vocabularySize: number) {}

  /** Made when it is first needed: the likeliest token needs none. */
  get #scratch(): Scratch {
    return (this.#made ??= new Scratch(this.vocabularySize))
  }

  get #candidates(): Candidates {
    return this.#scratch.candidates
  }

  get #selector(): Selector {
    return this.#scratch.selector
  }

  /**
   * Chooses a token; `random` in [0, 1) decides. Logits are [V], penalties already applied. Temperature 0 takes the
   * likeliest, of several the lowest id.
   */
  choose(logits: Float32Array, settings: SamplingSettings, random: number): number {
    const best = likeliest(logits)
    if (settings.temperature === 0) return best.token
    this.#weigh(logits, settings, best.logit)
    if (settings.typicalP < 1) this.#keepTypical(settings.typicalP)
    if (settings.topP < 1) this.#keepTop(logits, settings.topP)
    if (settings.minP > 0) this.#keepAbove(settings.minP)
    return this.#draw(random) ?? best.token
  }

  /** Candidates with their weights exp((logit - largest) / temperature), after top-k. */
  #weigh(logits: Float32Array, { temperature, topK }: SamplingSettings, largest: number): void {
    const candidates = this.#candidates
    const { ids, weights } = candidates
    const least = largest + negligible * temperature
    let count = 0
    for (let id = 0; id < logits.length; id++) if (logits[id] >= least) ids[count++] = id
    candidates.count = count
    if (topK > 0 && topK < count) {
      this.#byLogit(logits)
      this.#selector.keepLargest(candidates, undefined, topK)
    }
    for (let i = 0; i < candidates.count; i++)
      weights[i] = exponential((logits[ids[i]] - largest) / temperature)
  }

  #byLogit(logits: Float32Array): void {
    const { count, ids } = this.#candidates
    const { keys } = this.#selector
    const bits = new Int32Array(logits.buffer, logits.byteOffset, logits.length)
    for (let i = 0; i < count; i++) keys[i] = orderedBits(bits[ids[i]])
  }

  #total(): number {
    const { count, weights } = this.#candidates
    let total = 0
    for (let i = 0; i < count; i++) total += weights[i]
    return total
  }

  /** Locally typical sampling (Meister et al. 2022): the smallest |-ln p - H| first, H the entropy in nats. */
  #keepTypical(p: number): void {
    const { count, weights } = this.#candidates
    const total = this.#total()
    let entropy = 0
    for (let i = 0; i < count; i++) {
      const probability = weights[i] / total
      if (probability > 0) entropy -= probability * Math.log(probability)
    }
    const { surprise, selector } = this.#scratch
    for (let i = 0; i < count; i++) surprise[i] = Math.abs(Math.log(weights[i] / total) + entropy)
    const bits = new Int32Array(surprise.buffer, 0, count)
    const { keys } = selector
    for (let i = 0; i < count; i++) keys[i] = ~orderedBits(bits[i]) >>> 0
    selector.keepLargest(this.#candidates, weights, p * total)
  }

  /** Nucleus sampling (Holtzman et al. 2019): the likeliest tokens whose probabilities reach p. */
  #keepTop(logits: Float32Array, p: number): void {
    const total = this.#total()
    // What is at most (1 - p) / n likely adds up to at most 1 - p, so the nucleus is among the others.
    this.#keepHeavier(((1 - p) * total) / this.#candidates.count)
    this.#byLogit(logits)
    this.#selector.keepLargest(this.#candidates, this.#candidates.weights, p * total)
  }

  /** Min-p (Nguyen et al. 2024): at least minP times as likely as the likeliest. */
  #keepAbove(minP: number): void {
    const { count, weights } = this.#candidates
    let largest = 0
    for (let i = 0; i < count; i++) largest = Math.max(largest, weights[i])
    this.#keepHeavier(minP * largest)
  }

  #keepHeavier(least: number): void {
    const candidates = this.#candidates
    const { ids, weights } = candidates
    let count = 0
    for (let i = 0; i < candidates.count; i++) {
      if (weights[i] < least) continue
      ids[count] = ids[i]
      weights[count++] = weights[i]
    }
    candidates.count = count
  }

  #draw(random: number): number | undefined {
    const { count, ids, weights } = this.#candidates
    let rest = random * this.#total()
    for (let i = 0; i < count; i++) {
      rest -= weights[i]
      if (rest < 0) return ids[i]
    }
    return count > 0 ? ids[count - 1] : undefined
  }

  /**
   * Natural log probabilities under the raw logits: of `token`, and of the `top` likeliest tokens, the likeliest
   * first, of equals the lower id.
   */
  logprobs(
    logits: Float32Array,
    token: number,
    top: number,
  ): { logprob: number; top: { token: number; logprob: number }[] } {
    const { logit: largest } = likeliest(logits)
    let sum = 0
    for (let id = 0; id < logits.length; id++) {
      const difference = logits[id] - largest
      if (difference >= negligible) sum += exponential(difference)
    }
    const normalizer = largest + Math.log(sum)
    const ids = top > 0 ? this.#likeliestIds(logits, top) : []
    return {
      logprob: logits[token] - normalizer,
      top: ids.map((id) => ({ token: id, logprob: logits[id] - normalizer })),
    }
  }

  #likeliestIds(logits: Float32Array, count: number): number[] {
    const candidates = this.#candidates
    candidates.count = logits.length
    for (let id = 0; id < logits.length; id++) candidates.ids[id] = id
    this.#byLogit(logits)
    this.#selector.keepLargest(candidates, undefined, count)
    return [...candidates.ids.subarray(0, candidates.count)].toSorted(
      (a, b) => logits[b] - logits[a] || a - b,
    )
  }
}
