// Where the bytes of a model file come from: memory, a Blob, a file on disk (file-source.ts), later a server.
// The parsers of formats know nothing else of their input.
import { InvalidFileError } from "../errors/index.js"

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** Name for messages: a path, a URL, "memory". */
  readonly name: string
  /** Bytes in all. */
  readonly size: number
  /** Fills `into` with the bytes from `offset`; InvalidFileError where the file ends before. */
  read(offset: number, into: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** InvalidFileError unless `length` bytes from `offset` lie inside the file; `what` names them. */
export function checkRange(
  source: { readonly name: string; readonly size: number },
  offset: number,
  length: number,
  what: string,
): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return
  throw new InvalidFileError(
    `${source.name}: ${what} needs the bytes ${offset} to ${offset + length}, but the file has ${source.size}: ` +
      "it is cut off or damaged; fetch it again",
  )
}

/** `length` bytes from `offset` in a new array, checked against the size of the file before allocation. */
export async function readBytes(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  checkRange(source, offset, length, what)
  const bytes = new Uint8Array(length)
  await source.read(offset, bytes)
  return bytes
}

/** Bytes that are in memory already. */
export function memorySource(bytes: Uint8Array, name = "memory"): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, into) => {
      checkRange({ name, size: bytes.length }, offset, into.length, "a read")
      into.set(bytes.subarray(offset, offset + into.length))
    },
    close: async () => {},
  }
}

/** A Blob or File, as a page gets it from a file input or the origin's private file system. */
export function blobSource(blob: Blob, name = "name" in blob ? String(blob.name) : "blob"): ByteSource {
  return {
    name,
    size: blob.size,
    read: async (offset, into) => {
      checkRange({ name, size: blob.size }, offset, into.length, "a read")
      into.set(new Uint8Array(await blob.slice(offset, offset + into.length).arrayBuffer()))
    },
    close: async () => {},
  }
}

/**
 * Runs `open`, which takes over the sources: they are closed when it fails, so that no descriptor leaks.
 */
export async function takingOver<T>(sources: readonly ByteSource[], open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    await Promise.allSettled(sources.map((source) => source.close()))
    throw error
  }
}
