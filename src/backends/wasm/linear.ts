// How a linear becomes commands: one token streams the weight (LinearVector), many go through it panel by panel
// (LinearMatrix), at most MAX_MATRIX_TOKENS at a time. A weight in another heap gets its operands copied over.
import type { Recorder } from "./commands.js"
import { MAX_MATRIX_TOKENS, Op, TOKEN_TILE } from "./opcodes.js"
import { layouts, type WasmWeight } from "./weights.js"

/** The backend as the recording functions see it. */
export interface Recording {
  main(): Recorder
  record(recorder: Recorder, op: Op, units: number, args: readonly number[]): void
  copy(from: Recorder, address: number, to: Recorder, target: number, bytes: number): void
  threads(): number
}

interface LinearOperands {
  readonly tokens: number
  /** Records of quantized activations; one row of floats; or tiles of tokens (kernels/matrix-dense.ts). */
  readonly address: number
  readonly stride: number
  readonly target: number
}

/** Operands and results in another heap take at most this much of it. */
const stagingBytes = 64 * 2 ** 20
/** Panels that a unit of LinearVector walks through side by side. */
const vectorStreams = 4

export function recordLinear(backend: Recording, weight: WasmWeight, x: LinearOperands): void {
  const { recorder } = weight.place
  const main = backend.main()
  const [N] = weight.shape
  const op = x.tokens === 1 ? Op.LinearVector : Op.LinearMatrix
  if (recorder === main) {
    for (let first = 0; first < x.tokens; first += MAX_MATRIX_TOKENS) {
      const tokens = Math.min(MAX_MATRIX_TOKENS, x.tokens - first)
      recordPart(backend, weight, op, {
        ...x,
        tokens,
        address: x.address + first * x.stride,
        target: x.target + first * N * 4,
      })
    }
    return
  }
  const fitting = Math.floor(stagingBytes / (x.stride + N * 4) / TOKEN_TILE) * TOKEN_TILE
  const atOnce = Math.max(TOKEN_TILE, Math.min(MAX_MATRIX_TOKENS, fitting))
  for (let first = 0; first < x.tokens; first += atOnce) {
    const tokens = Math.min(atOnce, x.tokens - first)
    const bytes = (x.tokens === 1 ? 1 : wholeTiles(tokens)) * x.stride
    const address = recorder.staging.allocate(bytes)
    const target = recorder.staging.allocate(tokens * N * 4)
    backend.copy(main, x.address + first * x.stride, recorder, address, bytes)
    recordPart(backend, weight, op, { tokens, address, stride: x.stride, target })
    backend.copy(recorder, target, main, x.target + first * N * 4, tokens * N * 4)
    recorder.staging.reset()
  }
}

function recordPart(backend: Recording, weight: WasmWeight, op: Op, x: LinearOperands): void {
  const [N, K] = weight.shape
  const { recorder, address } = weight.place
  const { kind, panelRows } = layouts[weight.kind]
  const panels = Math.ceil(N / panelRows)
  const units = op === Op.LinearVector ? Math.ceil(panels / vectorStreams) : panels
  backend.record(recorder, op, units, [x.address, x.stride, address, x.target, x.tokens, K, N, kind])
}

interface FormOperands {
  readonly tokens: number
  readonly columns: number
  readonly source: number
  readonly target: number
  readonly stride: number
}

/** Tokens rounded up to whole tiles. */
export const wholeTiles = (tokens: number): number => Math.ceil(tokens / TOKEN_TILE) * TOKEN_TILE

/** Activations as 8-bit records, one token each. */
export function recordQuantize(backend: Recording, x: FormOperands): void {
  backend.record(backend.main(), Op.Quantize, x.tokens, [x.source, x.target, x.columns, x.stride])
}

/** Activations as tiles of tokens. */
export function recordInterleave(backend: Recording, x: FormOperands): void {
  const tiles = wholeTiles(x.tokens) / TOKEN_TILE
  backend.record(backend.main(), Op.Interleave, tiles, [x.source, x.target, x.tokens, x.columns])
}
