// The value types of GGUF metadata, shared by reader and writer.

/** Scalar types by name, with GGUF's type numbers; 9 is the array. */
export const ggufTypeNumbers = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const

export type GgufType = keyof typeof ggufTypeNumbers
export type GgufScalarType = Exclude<GgufType, "array">

/** A metadata value with the type that it has in the file, so that it can be written back as it was. */
export type GgufValue =
  | { readonly type: Exclude<GgufScalarType, "bool" | "string">; readonly value: number | bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | GgufArray

export type GgufArray =
  | {
      readonly type: "array"
      readonly of: Exclude<GgufScalarType, "bool" | "string">
      readonly value: ArrayLike<number | bigint>
    }
  | { readonly type: "array"; readonly of: "bool"; readonly value: readonly boolean[] }
  | { readonly type: "array"; readonly of: "string"; readonly value: readonly string[] }
  | { readonly type: "array"; readonly of: "array"; readonly value: readonly GgufArray[] }

const typeNames = new Map(
  Object.entries(ggufTypeNumbers).map(([name, number]) => [number as number, name as GgufType]),
)

/** The type behind a number, undefined where GGUF has none. */
export const ggufTypeOf = (number: number): GgufType | undefined => typeNames.get(number)

/** The value without its type: numbers, strings, typed arrays, nested arrays as arrays. */
export function plainGgufValue(value: GgufValue): unknown {
  return value.type === "array" && value.of === "array" ? value.value.map(plainGgufValue) : value.value
}
