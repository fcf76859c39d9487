// Checkpoints of torch.save, such as Meta's consolidated.00.pth: a ZIP archive with the state dict as a pickle
// (data.pkl) and one entry of raw bytes per storage. Only names, shapes and places are taken from the pickle.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { blockBytes, type Encoding } from "../weights/index.js"
import { type ByteSource, readBytes, takingOver } from "./byte-source.js"
import { decodeText } from "./json.js"
import { type PickleGlobal, unpickle } from "./pickle.js"
import { countValues, type PlacedTensor, placedTensorFile, type TensorFile } from "./tensor-file.js"
import { readZipDirectory, type ZipEntry, zipEntryOffset } from "./zip.js"

/** A typical 1B model needs 40 KB. */
const maxPickleBytes = 2 ** 24

/** Opens a torch.save archive of a dict of contiguous tensors, and takes over its source. */
export const openPth = (source: ByteSource): Promise<TensorFile> =>
  takingOver([source], async () => {
    await refuseOldFormat(source)
    const entries = await readZipDirectory(source)
    const prefix = findPrefix(source, entries)
    const order = entries.get(`${prefix}byteorder`)
    if (order !== undefined && (await entryText(source, order)) !== "little")
      throw new UnsupportedError(`${source.name} was saved on a big-endian machine; save it again on another`)
    const pickle = entries.get(`${prefix}data.pkl`)!
    if (pickle.size > maxPickleBytes)
      throw new InvalidFileError(
        `${source.name}: data.pkl has ${pickle.size} bytes; a state dict needs less than ${maxPickleBytes}`,
      )
    const bytes = await readBytes(source, await zipEntryOffset(source, pickle), pickle.size, "data.pkl")
    const state = unpickle(bytes, {
      what: `data.pkl of ${source.name}`,
      global: (name) => findGlobal(name, source.name),
      persistent: (id) => storageOf(id, source.name),
    })
    const placed = await placeAll(source, entries, prefix, state)
    return placedTensorFile("pth", placed, new Map(), [source])
  })

// Before version 1.6 PyTorch wrote bare pickles, and before that tar archives.
async function refuseOldFormat(source: ByteSource): Promise<void> {
  const start = await readBytes(source, 0, 4, "the start of a ZIP archive")
  if (new DataView(start.buffer).getUint32(0, true) === 0x04034b50) return
  if (start[0] === 0x80)
    throw new UnsupportedError(
      `${source.name} is in the format of PyTorch before 1.6: load it in PyTorch and save it again with torch.save`,
    )
  throw new InvalidFileError(
    `${source.name} is not a checkpoint of torch.save: it does not start as a ZIP archive`,
  )
}

function findPrefix(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>): string {
  const pickles = [...entries.keys()].filter((name) => name === "data.pkl" || name.endsWith("/data.pkl"))
  if (pickles.length !== 1)
    throw new InvalidFileError(
      `${source.name} is a ZIP archive with ${pickles.length} entries data.pkl; a checkpoint of torch.save has one`,
    )
  return pickles[0].slice(0, -"data.pkl".length)
}

async function entryText(source: ByteSource, entry: ZipEntry): Promise<string> {
  const bytes = await readBytes(
    source,
    await zipEntryOffset(source, entry),
    Math.min(entry.size, 64),
    entry.name,
  )
  return decodeText(bytes, entry.name)
}

class Storage {
  constructor(
    readonly key: string,
    /** Undefined where the storage is bytes and the tensor brings the type. */
    readonly encoding: Encoding | undefined,
    /** Bytes that the pickle says it has. */
    readonly size: number,
  ) {}
}

class PickledTensor {
  constructor(
    readonly storage: Storage,
    readonly encoding: Encoding,
    readonly offset: unknown,
    readonly shape: readonly unknown[],
    readonly strides: readonly unknown[],
  ) {}
}

const storageTypes: ReadonlyMap<string, Encoding | undefined> = new Map([
  ["torch.DoubleStorage", "f64"],
  ["torch.FloatStorage", "f32"],
  ["torch.HalfStorage", "f16"],
  ["torch.BFloat16Storage", "bf16"],
  ["torch.LongStorage", "i64"],
  ["torch.IntStorage", "i32"],
  ["torch.ShortStorage", "i16"],
  ["torch.CharStorage", "i8"],
  ["torch.ByteStorage", "u8"],
  ["torch.BoolStorage", "bool"],
  ["torch.storage.UntypedStorage", undefined],
])

const valueTypes: ReadonlyMap<string, Encoding> = new Map([
  ["torch.float64", "f64"],
  ["torch.float32", "f32"],
  ["torch.float16", "f16"],
  ["torch.bfloat16", "bf16"],
  ["torch.int64", "i64"],
  ["torch.int32", "i32"],
  ["torch.int16", "i16"],
  ["torch.int8", "i8"],
  ["torch.uint8", "u8"],
  ["torch.bool", "bool"],
])

function findGlobal(name: string, file: string): PickleGlobal {
  switch (name) {
    case "torch._utils._rebuild_tensor_v2":
      return { name, call: (args) => rebuildTensor(args, undefined, file) }
    case "torch._utils._rebuild_tensor_v3":
      return { name, call: (args) => rebuildTensor(args, args[6], file) }
    case "torch._utils._rebuild_parameter":
      return { name, call: ([tensor]) => tensor }
    case "collections.OrderedDict":
      return { name, call: () => new Map() }
  }
  if (storageTypes.has(name) || valueTypes.has(name)) return { name }
  throw new UnsupportedError(
    `${file} wants to load the Python object ${name.slice(0, 200)}; Cria builds tensors only and never runs code of a ` +
      "checkpoint. If you trust the file, load it in PyTorch and save its state dict alone",
  )
}

function rebuildTensor(args: readonly unknown[], type: unknown, file: string): PickledTensor {
  const [storage, offset, shape, strides] = args
  const named = valueTypes.get((type as PickleGlobal | undefined)?.name ?? "")
  const encoding = storage instanceof Storage ? (storage.encoding ?? named) : undefined
  if (
    !(storage instanceof Storage) ||
    encoding === undefined ||
    !Array.isArray(shape) ||
    !Array.isArray(strides)
  )
    throw new InvalidFileError(`${file}: a tensor is not made of a storage, an offset, a shape and strides`)
  return new PickledTensor(storage, encoding, offset, shape, strides)
}

function storageOf(id: unknown, file: string): Storage {
  const [kind, type, key, , count] = Array.isArray(id) ? (id as unknown[]) : []
  const typeName = (type as PickleGlobal | null | undefined)?.name ?? ""
  if (kind !== "storage" || typeof key !== "string" || !storageTypes.has(typeName) || !isCount(count))
    throw new InvalidFileError(`${file}: a persistent id is not that of a storage`)
  const encoding = storageTypes.get(typeName)
  return new Storage(key, encoding, count * (encoding === undefined ? 1 : blockBytes(encoding)))
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

async function placeAll(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  prefix: string,
  state: unknown,
): Promise<Map<string, PlacedTensor>> {
  if (!(state instanceof Map))
    throw new UnsupportedError(`${source.name} does not hold a dict of tensors: save the state dict alone`)
  const offsets = new Map<string, number>()
  const placed = new Map<string, PlacedTensor>()
  for (const [name, tensor] of state as Map<unknown, unknown>) {
    if (typeof name !== "string" || !(tensor instanceof PickledTensor))
      throw new UnsupportedError(
        `${source.name} holds something else than tensors by name` +
          `${typeof name === "string" ? ` (${name.slice(0, 200)})` : ""}: save the state dict alone`,
      )
    const { key, size } = tensor.storage
    const entry = entries.get(`${prefix}data/${key}`)
    if (entry === undefined || entry.size < size)
      throw new InvalidFileError(
        `${source.name}: ${name.slice(0, 200)} needs the storage ${key.slice(0, 40)} of ${size} bytes, ` +
          (entry === undefined ? "which is not in the archive" : `which has ${entry.size}`),
      )
    let start = offsets.get(key)
    if (start === undefined) {
      start = await zipEntryOffset(source, entry)
      offsets.set(key, start)
    }
    placed.set(name, placeTensor(source, name, tensor, start))
  }
  return placed
}

function placeTensor(source: ByteSource, name: string, tensor: PickledTensor, start: number): PlacedTensor {
  const what = `${source.name}: tensor ${name.slice(0, 200)}`
  const { encoding, storage, strides } = tensor
  const count = countValues(tensor.shape, what)
  const shape = tensor.shape as number[]
  let expected = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && count > 0 && strides[i] !== expected)
      throw new UnsupportedError(`${what} is not contiguous: call .contiguous() on it before torch.save`)
    expected *= shape[i]
  }
  const width = blockBytes(encoding)
  if (!isCount(tensor.offset) || (tensor.offset + count) * width > storage.size)
    throw new InvalidFileError(`${what} reaches beyond the ${storage.size} bytes of its storage`)
  return {
    name,
    shape,
    encoding,
    byteLength: count * width,
    source,
    offset: start + tensor.offset * width,
  }
}
