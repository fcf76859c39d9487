// A file on a server as a byte source: reads that follow each other share one answer, others ask for a range. Where
// the server does no ranges the whole file is fetched first.
import { HubError, InvalidFileError, ModelNotFoundError } from "../errors/index.js"
import { blobSource, type ByteSource, checkRange } from "../formats/index.js"

/** A read so little ahead of the last one goes on in the same answer. */
const maxSkip = 256 * 1024
const maxTries = 4
/** Most bytes that are taken from an answer at once. */
const pieceBytes = 1 << 20

interface BodyReader {
  /** The next bytes, which stay until the next read; undefined at the end. */
  read(): Promise<Uint8Array | undefined>
  cancel(): Promise<void>
}

/** Reads an answer: where the browser can, into one buffer again and again, since fresh ones are garbage as large as the file. */
function readerOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): BodyReader {
  try {
    const reader = body.getReader({ mode: "byob" })
    let buffer = new ArrayBuffer(pieceBytes)
    const read = async () => {
      const { done, value } = await reader.read(new Uint8Array(buffer))
      if (value) buffer = value.buffer
      return done ? undefined : value
    }
    return { read, cancel: () => reader.cancel() }
  } catch {
    const reader = body.getReader()
    return { read: async () => (await reader.read()).value, cancel: () => reader.cancel() }
  }
}

/** What a server says about a file. */
interface Opened {
  readonly body: BodyReader
  readonly size: number
  readonly etag: string | undefined
}

/** Opens a file on a server. @throws ModelNotFoundError, HubError. */
export async function urlSource(url: string): Promise<ByteSource> {
  const response = await request(url, { headers: { range: "bytes=0-" } })
  if (response.status === 416) return blobSource(new Blob(), url)
  if (response.status !== 206) {
    try {
      return blobSource(await response.blob(), url)
    } catch (error) {
      throw new HubError(`${url} broke off while it was fetched: try again`, { cause: error })
    }
  }
  return new RangedFile(url, opened(url, response, 0))
}

/** Whether a file can be had. Pages that answer everything with their front page are not taken in. */
export async function urlExists(url: string): Promise<boolean> {
  let response = await request(url, { method: "HEAD" }, [403, 404, 410])
  if (response.status === 405 || response.status === 501) {
    response = await request(url, { headers: { range: "bytes=0-0" } }, [403, 404, 410, 416])
    await response.body?.cancel()
  }
  return response.ok && !response.headers.get("content-type")?.startsWith("text/html")
}

/** Bytes of a file, where the server says so beforehand. */
export async function urlSize(url: string): Promise<number | undefined> {
  const response = await request(url, { method: "HEAD" }, [])
  const length = response.headers.get("content-length")
  return length === null || !response.ok || response.headers.has("content-encoding")
    ? undefined
    : Number(length)
}

/** A fetch whose failures are typed; answers of the statuses in `accepted` are handed out like good ones. */
async function request(
  url: string,
  init: RequestInit,
  accepted: readonly number[] = [416],
): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (error) {
    throw new HubError(
      `${url} cannot be fetched: the network is down, or the server does not let other sites read its files (CORS)`,
      { cause: error },
    )
  }
  const { status } = response
  const asksForMethod = init.method === "HEAD" && (status === 405 || status === 501)
  if (response.ok || accepted.includes(status) || asksForMethod) return response
  await response.body?.cancel()
  if (status === 404 || status === 410) throw new ModelNotFoundError(`${url} does not exist (HTTP ${status})`)
  throw new HubError(`${url} cannot be fetched: the server answers with HTTP ${status}`, { status })
}

/** Checks that an answer starts at `offset`. Servers of other origins may hide the range; its length they show. */
function opened(url: string, response: Response, offset: number): Opened {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "")
  const length = response.headers.get("content-length")
  const size = range ? Number(range[3]) : length === null ? Number.NaN : offset + Number(length)
  if (!Number.isSafeInteger(size) || (range && Number(range[1]) !== offset) || !response.body)
    throw new HubError(`${url}: the server's answer does not say which bytes it holds`, {
      status: response.status,
    })
  return { body: readerOf(response.body), size, etag: response.headers.get("etag") ?? undefined }
}

class RangedFile implements ByteSource {
  readonly size: number
  #answer: Opened | undefined
  /** Where the next byte of the answer lies, and bytes that came with the ones asked for. */
  #at = 0
  #rest: Uint8Array = new Uint8Array(0)
  #last: Promise<unknown> = Promise.resolve()
  readonly #etag: string | undefined

  constructor(
    readonly name: string,
    answer: Opened,
  ) {
    this.size = answer.size
    this.#etag = answer.etag
    this.#answer = answer
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    checkRange(this, offset, into.length, "a read")
    // one at a time: they share the answer
    const turn = this.#last.then(() => this.#read(offset, into))
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    await this.#drop()
  }

  async #read(offset: number, into: Uint8Array): Promise<void> {
    let done = 0
    for (let tries = 1; done < into.length; ) {
      try {
        await this.#seek(offset + done)
        const chunk = await this.#next(into.length - done)
        into.set(chunk, done)
        done += chunk.length
        tries = 1
      } catch (error) {
        await this.#drop()
        const final = error instanceof InvalidFileError || error instanceof ModelNotFoundError
        if (final || tries++ === maxTries) throw error
        await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** tries))
      }
    }
  }

  /** Makes the answer's next byte the one at `offset`. */
  async #seek(offset: number): Promise<void> {
    const ahead = offset - this.#at
    if (this.#answer && ahead >= 0 && ahead <= maxSkip) {
      for (let left = ahead; left > 0; ) left -= (await this.#next(left)).length
      return
    }
    await this.#drop()
    const response = await request(this.name, { headers: { range: `bytes=${offset}-` } }, [])
    if (response.status !== 206)
      throw new HubError(`${this.name}: the server no longer sends ranges`, { status: response.status })
    const answer = opened(this.name, response, offset)
    this.#answer = answer
    this.#at = offset
    if (answer.size !== this.size || answer.etag !== this.#etag)
      throw new InvalidFileError(`${this.name} was replaced while it was read: load it again`)
  }

  /** The next bytes of the answer, at least one and at most `most`. */
  async #next(most: number): Promise<Uint8Array> {
    if (this.#rest.length === 0) {
      let piece: Uint8Array | undefined
      try {
        piece = await this.#answer!.body.read()
      } catch (error) {
        throw new HubError(`${this.name} broke off at byte ${this.#at} of ${this.size}`, { cause: error })
      }
      if (!piece) throw new HubError(`${this.name} ended at byte ${this.#at} of ${this.size}`)
      this.#rest = piece
    }
    const bytes = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(bytes.length)
    this.#at += bytes.length
    return bytes
  }

  async #drop(): Promise<void> {
    const answer = this.#answer
    this.#answer = undefined
    this.#rest = new Uint8Array(0)
    // an answer that broke off cannot be cancelled any more
    await answer?.body.cancel().catch(() => {})
  }
}
