// Distributions over a vocabulary as distillation needs them, on the caller's side: the likeliest tokens of logits, and
// the divergence from a student to a teacher with its gradient.
import type { Tensor } from "../../tensor/tensor.js"
import type { TrainingBackend } from "../parameters.js"

/** The k likeliest tokens of each row, and their probabilities, row by row. */
export interface TopTokens {
  readonly k: number
  readonly ids: Int32Array
  readonly p: Float32Array
}

/** Rows of logits [R, V], divided by a temperature and read, each with its `log sum_v exp(values[r, v])`. */
export interface ReadLogits {
  /** The divided logits where they were computed. */
  readonly tensor: Tensor
  readonly values: Float32Array
  readonly logSums: Float32Array
  readonly vocabulary: number
}

export async function readLogits(
  backend: TrainingBackend,
  logits: Tensor,
  temperature: number,
): Promise<ReadLogits> {
  const [rows, vocabulary] = logits.shape
  const tensor = temperature === 1 ? logits : backend.scale(logits, 1 / temperature)
  const firsts = await backend.read(backend.logProbabilities(tensor, new Int32Array(rows)))
  const values = await backend.read(tensor)
  const logSums = firsts.map((first, row) => values[row * vocabulary] - first)
  return { tensor, values, logSums, vocabulary }
}

/** The k likeliest tokens of each row of [R, V] logits divided by the temperature; their p sum to less than 1. */
export async function topTokens(
  backend: TrainingBackend,
  logits: Tensor,
  k: number,
  temperature: number,
): Promise<TopTokens> {
  const { values, logSums, vocabulary } = await readLogits(backend, logits, temperature)
  return likeliest(values, logSums, vocabulary, k)
}

/** Least probability that the student is taken to leave for the rest, so that no gradient grows without bound. */
const leastRest = 1e-4

/**
 * What the tokens beyond the teacher's likeliest add to the forward divergence when they are one outcome together: with r
 * the teacher's rest `1 - sum_j p_j` and s the student's, `sum` is `r log(r / s)` over the rows. `targets` are the p for
 * `crossEntropyGradient` whose gradient is that of the whole, `q_v - p_v` within and `q_v (1 - r/s)` beyond:
 * `p_j - q_j r/s`. Without the rest a student would learn that everything unlikely is impossible.
 */
export function restOf(
  { values, logSums, vocabulary }: ReadLogits,
  { ids, p, k }: TopTokens,
): { sum: number; targets: Float32Array } {
  const targets = new Float32Array(p.length)
  const q = new Float64Array(k)
  let sum = 0
  for (const [row, logSum] of logSums.entries()) {
    let [said, own] = [0, 0]
    for (let j = 0; j < k; j++) {
      q[j] = Math.exp(values[row * vocabulary + ids[row * k + j]] - logSum)
      said += p[row * k + j]
      own += q[j]
    }
    const rest = k < vocabulary ? Math.max(0, 1 - said) : 0
    const ratio = rest / Math.max(leastRest, 1 - own)
    if (rest > 0) sum += rest * Math.log(ratio)
    for (let j = 0; j < k; j++) targets[row * k + j] = p[row * k + j] - q[j] * ratio
  }
  return { sum, targets }
}

function likeliest(logits: Float32Array, logSums: Float32Array, vocabulary: number, k: number): TopTokens {
  const rows = logSums.length
  const size = Math.min(k, vocabulary)
  const ids = new Int32Array(rows * size)
  const p = new Float32Array(rows * size)
  const heap = new Heap(size)
  for (let row = 0; row < rows; row++) {
    const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
    heap.size = 0
    for (let id = 0; id < vocabulary; id++) {
      const value = values[id]
      if (heap.size < size || value > heap.values[0]) heap.offer(id, value)
    }
    for (let j = 0; j < size; j++) {
      ids[row * size + j] = heap.ids[j]
      p[row * size + j] = Math.exp(heap.values[j] - logSums[row])
    }
  }
  return { k: size, ids, p }
}

/** The largest values offered, the smallest of them first. */
class Heap {
  readonly ids: Int32Array
  readonly values: Float32Array
  size = 0

  constructor(capacity: number) {
    this.ids = new Int32Array(capacity)
    this.values = new Float32Array(capacity)
  }

  offer(id: number, value: number): void {
    let at = 0
    if (this.size < this.ids.length) {
      for (at = this.size++; at > 0; ) {
        const parent = (at - 1) >> 1
        if (this.values[parent] <= value) break
        this.#move(parent, at)
        at = parent
      }
    } else {
      for (;;) {
        let child = 2 * at + 1
        if (child >= this.size) break
        if (child + 1 < this.size && this.values[child + 1] < this.values[child]) child++
        if (this.values[child] >= value) break
        this.#move(child, at)
        at = child
      }
    }
    this.ids[at] = id
    this.values[at] = value
  }

  #move(from: number, to: number): void {
    this.ids[to] = this.ids[from]
    this.values[to] = this.values[from]
  }
}

/**
 * `sum_r KL(q_r || p_r)` with q and p the softmax of a student's and a teacher's logits [R, V] divided by the temperature,
 * and its gradient with respect to the student's divided logits: `q (log q - log p - KL)`.
 */
export function reverseDivergence(
  student: Float32Array,
  teacher: Float32Array,
  vocabulary: number,
  temperature: number,
): { sum: number; gradient: Float32Array } {
  const gradient = new Float32Array(student.length)
  let sum = 0
  for (let start = 0; start < student.length; start += vocabulary) {
    const q = logNormalizer(student, start, vocabulary, temperature)
    const p = logNormalizer(teacher, start, vocabulary, temperature)
    let divergence = 0
    for (let i = start; i < start + vocabulary; i++) {
      const logQ = student[i] / temperature - q
      const difference = logQ - (teacher[i] / temperature - p)
      gradient[i] = difference
      divergence += Math.exp(logQ) * difference
    }
    for (let i = start; i < start + vocabulary; i++)
      gradient[i] = Math.exp(student[i] / temperature - q) * (gradient[i] - divergence)
    sum += divergence
  }
  return { sum, gradient }
}

/** log sum exp of a row. */
function logNormalizer(values: Float32Array, start: number, count: number, temperature: number): number {
  let largest = -Infinity
  for (let i = start; i < start + count; i++) if (values[i] > largest) largest = values[i]
  let total = 0
  for (let i = start; i < start + count; i++) total += Math.exp((values[i] - largest) / temperature)
  return largest / temperature + Math.log(total)
}
