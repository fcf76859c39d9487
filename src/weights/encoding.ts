// How the values of a tensor are written in a file: plain numbers, or ggml's blocks that share scales. This
// table knows sizes and type numbers only; decode.ts knows what the bytes mean.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"

/** Every encoding of tensor values that Cria reads. Names of blocks are ggml's. */
export type Encoding =
  | "f64"
  | "f32"
  | "f16"
  | "bf16"
  | "i64"
  | "i32"
  | "i16"
  | "i8"
  | "u8"
  | "bool"
  | "q4_0"
  | "q4_1"
  | "q5_0"
  | "q5_1"
  | "q8_0"
  | "q2_K"
  | "q3_K"
  | "q4_K"
  | "q5_K"
  | "q6_K"
  | "iq4_nl"
  | "iq4_xs"

interface Layout {
  /** Values in one block. */
  readonly values: number
  /** Bytes of one block. */
  readonly bytes: number
  /** ggml's type number, where ggml has the type. */
  readonly ggml: number | undefined
}

const layouts: Readonly<Record<Encoding, Layout>> = {
  f64: { values: 1, bytes: 8, ggml: 28 },
  f32: { values: 1, bytes: 4, ggml: 0 },
  f16: { values: 1, bytes: 2, ggml: 1 },
  bf16: { values: 1, bytes: 2, ggml: 30 },
  i64: { values: 1, bytes: 8, ggml: 27 },
  i32: { values: 1, bytes: 4, ggml: 26 },
  i16: { values: 1, bytes: 2, ggml: 25 },
  i8: { values: 1, bytes: 1, ggml: 24 },
  u8: { values: 1, bytes: 1, ggml: undefined },
  bool: { values: 1, bytes: 1, ggml: undefined },
  q4_0: { values: 32, bytes: 18, ggml: 2 },
  q4_1: { values: 32, bytes: 20, ggml: 3 },
  q5_0: { values: 32, bytes: 22, ggml: 6 },
  q5_1: { values: 32, bytes: 24, ggml: 7 },
  q8_0: { values: 32, bytes: 34, ggml: 8 },
  q2_K: { values: 256, bytes: 84, ggml: 10 },
  q3_K: { values: 256, bytes: 110, ggml: 11 },
  q4_K: { values: 256, bytes: 144, ggml: 12 },
  q5_K: { values: 256, bytes: 176, ggml: 13 },
  q6_K: { values: 256, bytes: 210, ggml: 14 },
  iq4_nl: { values: 32, bytes: 18, ggml: 20 },
  iq4_xs: { values: 256, bytes: 136, ggml: 23 },
}

export const encodings = Object.keys(layouts) as readonly Encoding[]

const byGgmlType = new Map(
  encodings.flatMap((encoding): [number, Encoding][] => {
    const { ggml } = layouts[encoding]
    return ggml === undefined ? [] : [[ggml, encoding]]
  }),
)

/** Names of ggml's types that Cria does not read, for messages. */
const otherGgmlTypes: Readonly<Record<number, string>> = {
  9: "Q8_1",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  21: "IQ3_S",
  22: "IQ2_S",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
}

/** The encoding behind a ggml type number; `what` names the tensor in the UnsupportedError. */
export function encodingOfGgmlType(type: number, what: string): Encoding {
  const encoding = byGgmlType.get(type)
  if (encoding !== undefined) return encoding
  const name = otherGgmlTypes[type]
  throw new UnsupportedError(
    `${what} has the ggml type ${type}${name === undefined ? "" : ` (${name})`}, which Cria does not read: ` +
      "use a file in F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS",
  )
}

/** ggml's type number of an encoding; UnsupportedError where ggml has none. */
export function ggmlTypeOfEncoding(encoding: Encoding): number {
  const { ggml } = layouts[encoding]
  if (ggml === undefined) throw new UnsupportedError(`GGUF has no tensor type for ${encoding} values`)
  return ggml
}

/** Values that one block holds: 1 for plain numbers, 32 or 256 for ggml's blocks. */
export const blockSize = (encoding: Encoding): number => layouts[encoding].values

/** Bytes of one block. */
export const blockBytes = (encoding: Encoding): number => layouts[encoding].bytes

/** Bytes of `count` values; InvalidFileError when they do not fill whole blocks. */
export function encodedBytes(encoding: Encoding, count: number): number {
  const { values, bytes } = layouts[encoding]
  if (count % values !== 0)
    throw new InvalidFileError(`${encoding} stores values in blocks of ${values}, but there are ${count}`)
  return (count / values) * bytes
}
