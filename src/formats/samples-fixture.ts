// Small files of every format for the tests, built by hand where Cria does not write the format: torch.save
// archives (ZIP and pickle), llama2.c models, raw safetensors headers.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cria-formats-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const utf8 = (text: string) => new TextEncoder().encode(text)

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const little = (bytes: number) => (value: number) =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n))
export const u16 = little(2)
export const u32 = little(4)
export const u64 = little(8)

export const f32Bytes = (...values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer)

/** A safetensors file with this header text, or this object as its header. */
export function safetensorsBytes(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = utf8(typeof header === "string" ? header : JSON.stringify(header))
  return concat(u64(json.length), json, data)
}

export const smallSafetensors = () =>
  safetensorsBytes(
    {
      __metadata__: { format: "pt" },
      a: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
      b: { dtype: "BF16", shape: [3], data_offsets: [16, 22] },
    },
    concat(f32Bytes(1, 2, 3, 4), [0x80, 0x3f, 0, 0x40, 0x40, 0x40]),
  )

/** A llama2.c file of this header whose floats count up from 0. */
export function llama2cBytes(header: readonly number[]): Uint8Array {
  const [dim, hidden, layers, heads, kvHeads, vocabulary, context] = header
  const kv = (dim / heads) * kvHeads
  const perLayer = 2 * dim + 2 * dim * dim + 2 * kv * dim + 3 * hidden * dim
  const rope = 2 * context * Math.floor(dim / heads / 2)
  const classifier = vocabulary < 0 ? -vocabulary * dim : 0
  const count = Math.abs(vocabulary) * dim + layers * perLayer + dim + rope + classifier
  const bytes = new Uint8Array(28 + count * 4)
  new Int32Array(bytes.buffer, 0, 7).set(header)
  new Float32Array(bytes.buffer, 28).set(Array.from({ length: count }, (_, i) => i))
  return bytes
}

export interface ZipPart {
  readonly name: string
  readonly bytes: Uint8Array
  readonly method?: number
  readonly flags?: number
  readonly extra?: Uint8Array
}

/** A ZIP archive of stored entries; with zip64, every number of the directory is in its 64-bit place. */
export function zipBytes(parts: readonly ZipPart[], zip64 = false): Uint8Array {
  const body: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  for (const { name, bytes, method = 0, flags = 0, extra = new Uint8Array() } of parts) {
    const size = u32(zip64 ? 0xffffffff : bytes.length)
    const common = concat(
      u16(20),
      u16(flags),
      u16(method),
      u32(0),
      u32(0),
      size,
      size,
      u16(utf8(name).length),
    )
    const local = concat(u32(0x04034b50), common, u16(extra.length), utf8(name), extra, bytes)
    const wide = zip64
      ? concat(u16(1), u16(24), u64(bytes.length), u64(bytes.length), u64(at))
      : new Uint8Array()
    const offset = u32(zip64 ? 0xffffffff : at)
    const tail = concat(u16(wide.length), u16(0), u16(0), u16(0), u32(0), offset, utf8(name), wide)
    directory.push(concat(u32(0x02014b50), u16(20), common, tail))
    body.push(local)
    at += local.length
  }
  const all = concat(...directory)
  const count = parts.length
  const wideEnd = concat(
    u32(0x06064b50),
    concat(u64(44), u16(45), u16(45), u32(0), u32(0), u64(count), u64(count), u64(all.length), u64(at)),
    concat(u32(0x07064b50), u32(0), u64(at + all.length), u32(1)),
  )
  const end = zip64
    ? concat(u32(0x06054b50), u32(0), u16(0xffff), u16(0xffff), u32(0xffffffff), u32(0xffffffff), u16(0))
    : concat(u32(0x06054b50), u32(0), u16(count), u16(count), u32(all.length), u32(at), u16(0))
  return concat(...body, all, zip64 ? wideEnd : new Uint8Array(), end)
}

/** Pickle opcodes as bytes, protocol 2. */
export const pickle = {
  program: (...parts: readonly Uint8Array[]) => concat([0x80, 2], ...parts, [0x2e]),
  text: (value: string) => concat([0x58], u32(utf8(value).length), utf8(value)),
  int: (value: number) => concat([0x4a], u32(value >>> 0)),
  none: new Uint8Array([0x4e]),
  no: new Uint8Array([0x89]),
  global: (module: string, name: string) => concat([0x63], utf8(`${module}\n${name}\n`)),
  tuple: (...items: readonly Uint8Array[]) => concat([0x28], ...items, [0x74]),
  call: (callee: Uint8Array, ...args: readonly Uint8Array[]) => concat(callee, pickle.tuple(...args), [0x52]),
  persistent: (id: Uint8Array) => concat(id, [0x51]),
  dict: (...items: readonly Uint8Array[]) => concat([0x7d, 0x71, 0, 0x28], ...items, [0x75]),
  orderedDict: (...items: readonly Uint8Array[]) =>
    concat(pickle.call(pickle.global("collections", "OrderedDict")), [0x28], ...items, [0x75]),
}

export interface TorchTensor {
  readonly name: string
  /** Such as FloatStorage. */
  readonly storage: string
  readonly key: string
  readonly count: number
  readonly offset?: number
  readonly shape: readonly number[]
  readonly strides?: readonly number[]
}

/** name, tensor: the two pickled items of a state dict's entry, as torch.save writes them. */
export function pickledTensor(tensor: TorchTensor): Uint8Array {
  const { name, storage, key, count, offset = 0, shape } = tensor
  const contiguous = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1))
  const id = pickle.tuple(
    pickle.text("storage"),
    pickle.global("torch", storage),
    pickle.text(key),
    pickle.text("cpu"),
    pickle.int(count),
  )
  const rebuilt = pickle.call(
    pickle.global("torch._utils", "_rebuild_tensor_v2"),
    pickle.persistent(id),
    pickle.int(offset),
    pickle.tuple(...shape.map(pickle.int)),
    pickle.tuple(...(tensor.strides ?? contiguous).map(pickle.int)),
    pickle.no,
    pickle.call(pickle.global("collections", "OrderedDict")),
  )
  return concat(pickle.text(name), rebuilt)
}

/** The entries of an archive as torch.save lays them out. */
export const torchParts = (
  program: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
): ZipPart[] => [
  { name: "consolidated/data.pkl", bytes: program },
  { name: "consolidated/byteorder", bytes: utf8("little") },
  ...Object.entries(storages).map(([key, bytes]) => ({
    name: `consolidated/data/${key}`,
    bytes,
    extra: new Uint8Array([0x46, 0x42, 3, 0, 0x5a, 0x5a, 0x5a]),
  })),
  { name: "consolidated/version", bytes: utf8("3\n") },
]

export const smallPth = (zip64 = false) =>
  zipBytes(
    torchParts(
      pickle.program(
        pickle.dict(
          pickledTensor({ name: "a.weight", storage: "FloatStorage", key: "0", count: 6, shape: [2, 3] }),
          pickledTensor({
            name: "b.weight",
            storage: "BFloat16Storage",
            key: "1",
            count: 4,
            offset: 1,
            shape: [3],
          }),
          pickledTensor({
            name: "tied",
            storage: "FloatStorage",
            key: "0",
            count: 6,
            offset: 3,
            shape: [1, 3],
          }),
        ),
      ),
      { "0": f32Bytes(1, 2, 3, 4, 5, 6), "1": new Uint8Array([0, 0, 0x80, 0x3f, 0, 0x40, 0x40, 0x40]) },
    ),
    zip64,
  )

const ggufText = (text: string) => concat(u64(utf8(text).length), utf8(text))

/** A GGUF file from raw parts: metadata entries and tensor infos as bytes already. */
export function ggufBytes(
  entries: readonly Uint8Array[],
  infos: readonly Uint8Array[],
  data: Uint8Array,
  start: Uint8Array = concat(utf8("GGUF"), u32(3)),
): Uint8Array {
  const header = concat(start, u64(infos.length), u64(entries.length), ...entries, ...infos)
  return concat(header, new Uint8Array((32 - (header.length % 32)) % 32), data)
}

/** A metadata entry: key, type number, value bytes. */
export const ggufEntry = (key: string, type: number, value: Uint8Array | readonly number[]) =>
  concat(ggufText(key), u32(type), value)

/** A tensor info: dimensions innermost first. */
export const ggufInfo = (name: string, dimensions: readonly number[], type: number, offset: number) =>
  concat(ggufText(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset))

export const smallGguf = () =>
  ggufBytes(
    [
      ggufEntry("general.architecture", 8, ggufText("llama")),
      ggufEntry("llama.block_count", 4, u32(1)),
      ggufEntry("tokens", 9, concat(u32(8), u64(3), ggufText("a"), ggufText("é"), ggufText("<|end|>"))),
      ggufEntry("scores", 9, concat(u32(6), u64(2), f32Bytes(0.5, -1))),
      ggufEntry("nested", 9, concat(u32(9), u64(2), u32(0), u64(2), [1, 2], u32(7), u64(1), [1])),
    ],
    [ggufInfo("a", [2, 2], 0, 0), ggufInfo("b", [32, 1], 2, 32)],
    concat(f32Bytes(1, 2, 3, 4), new Uint8Array(16), new Uint8Array(18).fill(0x3c), new Uint8Array(14)),
  )
