// The part of ZIP (and zip64) that torch.save writes: a directory of stored, unencrypted entries. Anything
// compressed is refused, so an archive can never unpack to more than its own size.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { type ByteSource, checkRange, readBytes } from "./byte-source.js"
import { decodeText } from "./json.js"

export interface ZipEntry {
  readonly name: string
  readonly size: number
  /** Where the entry's own header lies; its bytes follow that header. */
  readonly headerOffset: number
}

const maxDirectoryBytes = 2 ** 24
const maxEntries = 2 ** 16

/** The entries of the archive by name. */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { count, size, offset } = await findDirectory(source)
  if (size > maxDirectoryBytes || count > maxEntries || count * 46 > size)
    throw new InvalidFileError(
      `${source.name}: a ZIP directory of ${count} entries in ${size} bytes is not believable`,
    )
  const bytes = await readBytes(source, offset, size, "the ZIP directory")
  const view = new DataView(bytes.buffer)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== 0x02014b50) throw damaged(source)
    const next =
      at + 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    if (next > size) throw damaged(source)
    const entry = readEntry(source, bytes.subarray(at, next))
    checkRange(source, entry.headerOffset, 30 + entry.size, `the ZIP entry ${entry.name}`)
    if (entries.has(entry.name))
      throw new InvalidFileError(`${source.name}: the ZIP entry ${entry.name} is there twice`)
    entries.set(entry.name, entry)
    at = next
  }
  checkEntriesApart(source, entries, offset)
  return entries
}

/** Offset of the first byte of an entry. */
export async function zipEntryOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  const header = new DataView((await readBytes(source, entry.headerOffset, 30, "a ZIP entry")).buffer)
  if (header.getUint32(0, true) !== 0x04034b50) throw damaged(source)
  const offset = entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true)
  checkRange(source, offset, entry.size, `the ZIP entry ${entry.name}`)
  return offset
}

interface Directory {
  readonly count: number
  readonly size: number
  readonly offset: number
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const length = Math.min(source.size, 22 + 65535)
  const start = source.size - length
  const tail = await readBytes(source, start, length, "the end of the ZIP archive")
  const view = new DataView(tail.buffer)
  for (let at = length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50 || at + 22 + view.getUint16(at + 20, true) !== length)
      continue
    const small = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    }
    if (small.count !== 0xffff && small.size !== 0xffffffff && small.offset !== 0xffffffff) return small
    return readZip64Directory(source, start + at - 20)
  }
  throw new InvalidFileError(
    `${source.name} is not a ZIP archive with its directory at the end: it is cut off, or not what torch.save writes`,
  )
}

async function readZip64Directory(source: ByteSource, locatorOffset: number): Promise<Directory> {
  const locator = new DataView((await readBytes(source, locatorOffset, 20, "the zip64 locator")).buffer)
  if (locator.getUint32(0, true) !== 0x07064b50) throw damaged(source)
  const offset = Number(locator.getBigUint64(8, true))
  const record = new DataView((await readBytes(source, offset, 56, "the zip64 record")).buffer)
  if (record.getUint32(0, true) !== 0x06064b50) throw damaged(source)
  return {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
  }
}

function readEntry(source: ByteSource, bytes: Uint8Array): ZipEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const nameEnd = 46 + view.getUint16(28, true)
  const name = decodeText(bytes.subarray(46, nameEnd), `a name in the ZIP directory of ${source.name}`)
  if ((view.getUint16(8, true) & 1) !== 0 || view.getUint16(10, true) !== 0)
    throw new UnsupportedError(
      `${source.name}: the ZIP entry ${name.slice(0, 200)} is compressed or encrypted, which torch.save never does; ` +
        "save the checkpoint again with torch.save, or use its safetensors version",
    )
  const extra = bytes.subarray(nameEnd, nameEnd + view.getUint16(30, true))
  const wide = zip64Numbers(extra)
  const number = (at: number) => {
    const value = view.getUint32(at, true)
    if (value !== 0xffffffff) return value
    const wideValue = wide.shift()
    if (wideValue === undefined) throw damaged(source)
    return wideValue
  }
  const size = number(24)
  if (number(20) !== size) throw damaged(source)
  return { name, size, headerOffset: number(42) }
}

/** The 64-bit numbers of the zip64 extra field, in order. */
function zip64Numbers(extra: Uint8Array): number[] {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length)
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue
    const end = Math.min(extra.length, at + 4 + view.getUint16(at + 2, true))
    const numbers: number[] = []
    for (let from = at + 4; from + 8 <= end; from += 8) numbers.push(Number(view.getBigUint64(from, true)))
    return numbers
  }
  return []
}

function checkEntriesApart(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>, end: number): void {
  const sorted = [...entries.values()].toSorted((a, b) => a.headerOffset - b.headerOffset)
  for (const [i, entry] of sorted.entries())
    if (entry.headerOffset + 30 + entry.size > (sorted[i + 1]?.headerOffset ?? end))
      throw new InvalidFileError(`${source.name}: the ZIP entry ${entry.name} overlaps what follows it`)
}

const damaged = (source: ByteSource) =>
  new InvalidFileError(`${source.name}: the ZIP directory is damaged; fetch the file again`)
