// One memory of WebAssembly for all tables of a byte-level tokenizer. Where the platform shares memory between threads, the
// encoders of all threads work on the tables in place: none has a copy.
import type { TokenizerData } from "./model.js"
import { releaseTables } from "./shared-memory.js"

const pageBytes = 1 << 16
/** Tables start at multiples of this, none at address 0. */
const alignment = 64
/** What the encoders of all threads may take together. */
const encoderBytes = 1 << 28

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment
type Table = Uint8Array | Int32Array | Float32Array

/** A shared memory with room for tables of so many bytes; undefined where there is none. */
export function tableMemory(bytes: number): { memory: WebAssembly.Memory; tables: Uint8Array } | undefined {
  if (typeof SharedArrayBuffer === "undefined") return undefined
  const pages = (size: number) => Math.ceil(size / pageBytes)
  try {
    const initial = pages(alignment + bytes)
    const memory = new WebAssembly.Memory({ initial, maximum: initial + pages(encoderBytes), shared: true })
    return { memory, tables: new Uint8Array(memory.buffer, alignment, bytes) }
  } catch {
    return undefined // no WebAssembly here, or no address space
  }
}

/** The same tokenizer with all its tables in one memory of their size, where that can be shared. */
export function settled(data: TokenizerData): TokenizerData {
  releaseTables()
  let bytes = 0
  mapTables(data, (table) => {
    bytes += aligned(table.byteLength)
    return table
  })
  const room = tableMemory(bytes)
  if (!room) return data
  const { memory, tables } = room
  let at = tables.byteOffset
  const moved = mapTables(data, (table) => {
    const copy =
      table instanceof Uint8Array
        ? new Uint8Array(memory.buffer, at, table.length)
        : table instanceof Int32Array
          ? new Int32Array(memory.buffer, at, table.length)
          : new Float32Array(memory.buffer, at, table.length)
    copy.set(table)
    at += aligned(table.byteLength)
    return copy
  })
  return { ...moved, memory }
}

/** A copy of plain data with other tables. */
function mapTables<T>(value: T, map: (table: Table) => Table): T {
  if (ArrayBuffer.isView(value)) return map(value as unknown as Table) as T
  if (Array.isArray(value)) return value.map((item: unknown) => mapTables(item, map)) as T
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapTables(item, map)])) as T
}
