// The lines of a text file, plain or gzip, streamed (Node only). Files are hostile: lines, and what little gzip unpacks to,
// are bounded.
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import { InvalidFileError } from "../errors/index.js"
import { fileError } from "../formats/file-source.js"

/** A line without its end, or a part of one that is too long for one piece. */
export interface Line {
  readonly bytes: Uint8Array
  /** Number of the line, from 1. */
  readonly number: number
  /** Whether the line ends here; else the next piece goes on with it. */
  readonly ends: boolean
}

export interface LineOptions {
  /** Longer lines come in pieces of about that many bytes. */
  readonly mostBytes: number
  /** Told how many bytes of the file, as it lies on the disk, were read since the last call. */
  readonly onRead?: (bytes: number) => void
  readonly signal?: AbortSignal
}

/** Text hardly ever packs better than 1:50; 1:1000 is the most that gzip can do, and what bombs do. */
const mostExpansion = 200
/** Unpacked bytes from which on the expansion is looked at. */
const freeBytes = 2 ** 26
const newline = 0x0a
const carriageReturn = 0x0d

/** Lines end with "\n" or "\r\n". InvalidFileError, with the line, where the file is cut off or expands without measure. */
export async function* readLines(path: string, options: LineOptions): AsyncGenerator<Line> {
  const { mostBytes, signal } = options
  let held: Uint8Array[] = []
  let heldBytes = 0
  let number = 1
  const take = (last: Uint8Array): Uint8Array => {
    const bytes = held.length === 0 ? last : Buffer.concat([...held, last])
    held = []
    heldBytes = 0
    return bytes
  }
  for await (const chunk of chunksOf(path, () => number, options)) {
    signal?.throwIfAborted()
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(newline, at)
      const part = chunk.subarray(at, end < 0 ? chunk.length : end)
      if (end >= 0) {
        const bytes = take(part)
        yield { bytes: bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes, number, ends: true }
        number++
        at = end + 1
        continue
      }
      held.push(part)
      heldBytes += part.length
      at = chunk.length
      if (heldBytes > mostBytes) yield { bytes: take(new Uint8Array()), number, ends: false }
    }
  }
  if (heldBytes > 0) yield { bytes: take(new Uint8Array()), number, ends: true }
}

async function* chunksOf(
  path: string,
  line: () => number,
  { onRead }: LineOptions,
): AsyncGenerator<Uint8Array> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileError(path, error)
  })
  // Opening a pipe would wait for ever.
  if (!status.isFile()) throw new InvalidFileError(`${path} is not a regular file`)
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  let read = 0
  let unpacked = 0
  file.on("data", (chunk) => {
    read += chunk.length
    onRead?.(chunk.length)
  })
  try {
    const gzip = path.endsWith(".gz")
    const stream = gzip ? pipeline(file, createGunzip({ chunkSize: 1 << 18 }), () => {}) : file
    for await (const chunk of stream) {
      yield chunk as Uint8Array
      unpacked += (chunk as Uint8Array).length
      if (gzip && unpacked > freeBytes && unpacked > mostExpansion * read)
        throw new InvalidFileError(
          `${path} unpacks to over ${mostExpansion} times its size: no text does; unpack it yourself if you trust it`,
        )
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith("Z_"))
      throw new InvalidFileError(
        `${path}:${line()}: the gzip data is damaged or cut off: fetch the file again`,
        { cause: error },
      )
    throw fileError(path, error)
  } finally {
    file.destroy()
  }
}
