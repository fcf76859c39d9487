// Writes safetensors files as transformers loads them (Node only): streamed, atomic, in shards where asked.
import { rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import { blockBytes, blockSize } from "../weights/index.js"
import { safetensorsTypes } from "./safetensors.js"
import { type TensorEntry, tensorBytes } from "./tensor-file.js"
import { type PendingFile, type Produce, publishing, writeTensor } from "./write-file.js"

export interface SafetensorsOptions {
  /** Strings for `__metadata__`, beside `format: "pt"`, which transformers asks for. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Where the tensors take more, they are spread over shards of at most this size (one tensor at least). */
  readonly maxShardBytes?: number
}

const typeNames = new Map([...safetensorsTypes].map(([name, encoding]) => [encoding, name]))

/**
 * Writes the entries to `path`: a name ending in `.safetensors`, or a folder, which gets `model.safetensors`.
 * `produce(name)` gives the bytes of a tensor; tensors are asked for one after the other, wider types first, so
 * that every one is aligned. Shards become `model-00001-of-00003.safetensors` and so on, with
 * `model.safetensors.index.json`, and replace an unsharded file of that name. All files appear at the end, or none.
 */
export async function writeSafetensors(
  path: string,
  entries: readonly TensorEntry[],
  produce: Produce,
  options: SafetensorsOptions = {},
): Promise<void> {
  const target = path.endsWith(".safetensors") ? path : join(path, "model.safetensors")
  checkEntries(entries)
  const shards = shardsOf(entries, options.maxShardBytes ?? Infinity)
  if (shards.length === 1)
    return publishing(async (create) => writeShard(await create(target), shards[0], produce, options))

  const stem = basename(target, ".safetensors")
  const weightMap: Record<string, string> = {}
  await publishing(async (create) => {
    for (const [i, shard] of shards.entries()) {
      const name = `${stem}-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}.safetensors`
      for (const entry of shard) weightMap[entry.name] = name
      await writeShard(await create(join(dirname(target), name)), shard, produce, options)
    }
    const totalSize = entries.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const index = { metadata: { total_size: totalSize }, weight_map: weightMap }
    const file = await create(`${target}.index.json`)
    await file.write(new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`))
  })
  await rm(target, { force: true }) // an older, unsharded model would be loaded instead of the shards
}

const fiveDigits = (number: number) => String(number).padStart(5, "0")

function checkEntries(entries: readonly TensorEntry[]): void {
  const names = new Set<string>()
  for (const { name, shape, encoding, byteLength } of entries) {
    if (!typeNames.has(encoding))
      throw new UnsupportedError(
        `tensor ${name} is ${encoding}, which safetensors cannot hold: convert it to f32, f16 or bf16, or write GGUF`,
      )
    if (name === "__metadata__" || names.has(name))
      throw new InvalidOptionError(`two tensors are named ${name}`)
    names.add(name)
    const expected = tensorBytes(encoding, shape, `tensor ${name}`)
    if (byteLength !== expected)
      throw new InvalidOptionError(`tensor ${name} takes ${expected} bytes, not ${byteLength}`)
  }
}

function shardsOf(entries: readonly TensorEntry[], limit: number): TensorEntry[][] {
  const shards: TensorEntry[][] = [[]]
  let size = 0
  for (const entry of entries) {
    if (size > 0 && size + entry.byteLength > limit) {
      shards.push([])
      size = 0
    }
    shards.at(-1)!.push(entry)
    size += entry.byteLength
  }
  return shards
}

async function writeShard(
  file: PendingFile,
  entries: readonly TensorEntry[],
  produce: Produce,
  options: SafetensorsOptions,
): Promise<void> {
  const width = ({ encoding }: TensorEntry) => blockBytes(encoding) / blockSize(encoding)
  const ordered = entries.toSorted((a, b) => width(b) - width(a))
  const header: Record<string, unknown> = { __metadata__: { ...options.metadata, format: "pt" } }
  let offset = 0
  for (const { name, shape, encoding, byteLength } of ordered) {
    header[name] = { dtype: typeNames.get(encoding), shape, data_offsets: [offset, offset + byteLength] }
    offset += byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true)
  bytes.set(json, 8)
  await file.write(bytes)
  for (const entry of ordered) await writeTensor(file, entry, produce)
}
