// How a linear becomes commands: one token streams the weight (LinearVector), many go through it panel by panel
// (LinearMatrix), at most MAX_MATRIX_TOKENS at a time. A weight in another heap gets its operands copied over.
import type { Flow, Recorder } from "./commands.js"
import { DENSE_TOKENS, INT_TOKENS, MAX_MATRIX_TOKENS, Op } from "./opcodes.js"
import { layouts, type PackedWeight } from "./weights.js"

/** The backend as the recording functions see it. */
export interface Recording {
  main(): Recorder
  record(recorder: Recorder, op: Op, units: number, args: readonly number[], flow?: Flow): void
  copy(from: Recorder, address: number, to: Recorder, target: number, bytes: number): void
}

interface LinearOperands {
  readonly tokens: number
  /** Records of quantized activations; one row of floats; or tiles of tokens (kernels/matrix-dense.ts). */
  readonly address: number
  readonly stride: number
  readonly target: number
  /** The results are added to what is there. The operands are tiles of tokens even for one token. */
  readonly adds?: boolean
}

/** Operands and results in another heap take at most this much of it. */
const stagingBytes = 64 * 2 ** 20
/** Panels that a unit of LinearVector walks through side by side. */
const vectorStreams = 4

export function recordLinear(backend: Recording, weight: PackedWeight, x: LinearOperands): void {
  const { recorder } = weight.place
  const main = backend.main()
  const [N] = weight.shape
  const op = x.tokens === 1 && !x.adds ? Op.LinearVector : Op.LinearMatrix
  if (recorder === main) {
    // Sums that go on from one operation to the next have to wait for each other.
    const flow = x.adds ? undefined : { reads: [x.address], writes: x.target }
    for (let first = 0; first < x.tokens; first += MAX_MATRIX_TOKENS) {
      const tokens = Math.min(MAX_MATRIX_TOKENS, x.tokens - first)
      recordPart(
        backend,
        weight,
        op,
        {
          ...x,
          tokens,
          address: x.address + first * x.stride,
          target: x.target + first * N * 4,
        },
        flow,
      )
    }
    return
  }
  const fitting = Math.floor(stagingBytes / (x.stride + N * 4) / DENSE_TOKENS) * DENSE_TOKENS
  const atOnce = Math.max(DENSE_TOKENS, Math.min(MAX_MATRIX_TOKENS, fitting))
  const mark = recorder.staging.mark()
  for (let first = 0; first < x.tokens; first += atOnce) {
    const tokens = Math.min(atOnce, x.tokens - first)
    const bytes = (x.tokens === 1 ? 1 : wholeTiles(tokens)) * x.stride
    const address = recorder.staging.allocate(bytes)
    const target = recorder.staging.allocate(tokens * N * 4)
    backend.copy(main, x.address + first * x.stride, recorder, address, bytes)
    recordPart(backend, weight, op, { tokens, address, stride: x.stride, target })
    backend.copy(recorder, target, main, x.target + first * N * 4, tokens * N * 4)
    recorder.staging.reset(mark)
  }
}

function recordPart(backend: Recording, weight: PackedWeight, op: Op, x: LinearOperands, flow?: Flow): void {
  const [N, K] = weight.shape
  const { recorder, address } = weight.place
  const { kind, panelRows } = layouts[weight.kind]
  const panels = Math.ceil(N / panelRows)
  const units = op === Op.LinearVector ? Math.ceil(panels / vectorStreams) : panels
  const adds = x.adds ? 1 : 0
  backend.record(
    recorder,
    op,
    units,
    [x.address, x.stride, address, x.target, x.tokens, K, N, kind, adds],
    flow,
  )
}

interface FormOperands {
  readonly tokens: number
  readonly columns: number
  readonly source: number
  readonly target: number
  readonly stride: number
}

/** Tokens rounded up to whole tiles, of either kind. */
export const wholeTiles = (tokens: number): number => Math.ceil(tokens / DENSE_TOKENS) * DENSE_TOKENS

/** Activations as 8-bit records: of the only token, or of INT_TOKENS each. */
export function recordQuantize(backend: Recording, x: FormOperands): void {
  const together = x.tokens === 1 ? 1 : INT_TOKENS
  const args = [x.source, x.target, x.columns, x.stride * together, together]
  backend.record(backend.main(), Op.Quantize, x.tokens, args, { reads: [x.source], writes: x.target })
}

/** Activations as tiles of tokens. */
export function recordInterleave(backend: Recording, x: FormOperands): void {
  const tiles = wholeTiles(x.tokens) / DENSE_TOKENS
  backend.record(backend.main(), Op.Interleave, tiles, [x.source, x.target, x.tokens, x.columns], {
    reads: [x.source],
    writes: x.target,
  })
}
