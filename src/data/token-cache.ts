// Records of tokens in one file: tokenized once, then read by ranges (Node only). Layout, little-endian: every token as
// 32 bits (the id, and in the highest bit whether the loss counts it), the length of every sequence as 32 bits, a
// trailer of JSON, its length as 32 bits, a magic word.
import * as z from "zod"
import { InvalidFileError } from "../errors/index.js"
import { type ByteSource, readBytes } from "../formats/byte-source.js"
import { fileSource } from "../formats/file-source.js"
import { parseJsonObject } from "../formats/json.js"
import { type PendingFile, publishing } from "../formats/write-file.js"
import type { RecordStore, TokenRecord, TokenSequence } from "./record.js"

const magic = 0x4b435443
const lossBit = 0x80000000
const mostTrailerBytes = 1 << 16
const mostSequenceTokens = 1 << 22
const bufferWords = 1 << 16

const trailerSchema = z.object({
  fingerprint: z.string(),
  records: z.number().int().positive(),
  sequencesPerRecord: z.number().int().positive().max(8),
  tokens: z.number().int().nonnegative(),
  lossTokens: z.number().int().nonnegative(),
})

/**
 * Writes the records to `path`, which appears when it is whole. Every record has the same number of sequences.
 * `fingerprint` says what the tokens were made from and how. Memory is bounded but for 4 bytes a sequence.
 * InvalidFileError where there are no records at all.
 */
export async function writeTokenCache(
  path: string,
  fingerprint: string,
  records: AsyncIterable<TokenRecord> | Iterable<TokenRecord>,
): Promise<void> {
  await publishing(async (create) => {
    const words = new WordWriter(await create(path))
    const lengths: number[] = []
    const counts = { records: 0, sequencesPerRecord: 0, tokens: 0, lossTokens: 0 }
    for await (const record of records) {
      if (counts.records === 0) counts.sequencesPerRecord = record.length
      if (record.length !== counts.sequencesPerRecord)
        throw new Error(`a record has ${record.length} sequences, those before ${counts.sequencesPerRecord}`)
      counts.records++
      for (const { ids, loss } of record) {
        if (ids.length > mostSequenceTokens)
          throw new InvalidFileError(
            `an example has ${ids.length} tokens, at most ${mostSequenceTokens} are taken: divide it`,
          )
        await words.write(ids.map((id, i) => (loss[i] === 1 ? id | lossBit : id)))
        counts.lossTokens += loss.reduce((sum, counted) => sum + counted, 0)
        counts.tokens += ids.length
        lengths.push(ids.length)
      }
    }
    if (counts.records === 0)
      throw new InvalidFileError(`the data for ${path} hold no examples: check the files that were named`)
    await words.write(Int32Array.from(lengths))
    const trailer = new TextEncoder().encode(JSON.stringify({ fingerprint, ...counts }))
    await words.end(trailer, Int32Array.of(trailer.length, magic))
  })
}

/** Collects words into writes of 256 KiB. */
class WordWriter {
  readonly #file: PendingFile
  readonly #buffer = new Int32Array(bufferWords)
  #held = 0

  constructor(file: PendingFile) {
    this.#file = file
  }

  async write(words: Int32Array): Promise<void> {
    for (let at = 0; at < words.length; ) {
      const part = words.subarray(at, at + bufferWords - this.#held)
      this.#buffer.set(part, this.#held)
      this.#held += part.length
      at += part.length
      if (this.#held === bufferWords) await this.#flush()
    }
  }

  async end(trailer: Uint8Array, words: Int32Array): Promise<void> {
    await this.#flush()
    await this.#file.write(trailer)
    await this.write(words)
    await this.#flush()
  }

  async #flush(): Promise<void> {
    await this.#file.write(new Uint8Array(this.#buffer.buffer, 0, 4 * this.#held))
    this.#held = 0
  }
}

/** An open cache. In memory are the lengths of the sequences only. */
export class TokenCache implements RecordStore {
  readonly fingerprint: string
  readonly records: number
  readonly tokens: number
  /** Tokens that the loss counts. */
  readonly lossTokens: number
  readonly #source: ByteSource
  readonly #sequencesPerRecord: number
  /** First token of each sequence; one more at the end. */
  readonly #starts: Float64Array

  private constructor(source: ByteSource, trailer: z.infer<typeof trailerSchema>, starts: Float64Array) {
    this.#source = source
    this.fingerprint = trailer.fingerprint
    this.records = trailer.records
    this.tokens = trailer.tokens
    this.lossTokens = trailer.lossTokens
    this.#sequencesPerRecord = trailer.sequencesPerRecord
    this.#starts = starts
  }

  /** Opens a file that `writeTokenCache` wrote; InvalidFileError where it is damaged or something else. */
  static async open(path: string): Promise<TokenCache> {
    const source = await fileSource(path)
    try {
      return await TokenCache.#read(source)
    } catch (error) {
      await source.close()
      throw error
    }
  }

  static async #read(source: ByteSource): Promise<TokenCache> {
    const fail = (what: string): never => {
      throw new InvalidFileError(
        `${source.name} is no token cache of Cria's (${what}): delete it, it is made anew`,
      )
    }
    if (source.size < 8) fail("too short")
    const end = wordsOf(await readBytes(source, source.size - 8, 8, "the end"))
    if (end[1] !== magic) fail("wrong magic word")
    if (end[0] < 2 || end[0] > Math.min(mostTrailerBytes, source.size - 8)) fail("a trailer without bounds")
    const trailerStart = source.size - 8 - end[0]
    const json = parseJsonObject(await readBytes(source, trailerStart, end[0], "the trailer"), source.name)
    const parsed = trailerSchema.safeParse(json)
    if (!parsed.success) return fail("a trailer with other fields")
    const { records, sequencesPerRecord, tokens } = parsed.data
    const sequences = records * sequencesPerRecord
    if (4 * (tokens + sequences) !== trailerStart) fail("its size is not that of its contents")
    const lengths = wordsOf(await readBytes(source, 4 * tokens, 4 * sequences, "the lengths"))
    const starts = new Float64Array(sequences + 1)
    for (const [i, length] of lengths.entries()) {
      if (length < 0 || length > mostSequenceTokens) fail("a length out of bounds")
      starts[i + 1] = starts[i] + length
    }
    if (starts[sequences] !== tokens) fail("its lengths are not those of its tokens")
    return new TokenCache(source, parsed.data, starts)
  }

  tokensOf(record: number): number {
    const k = this.#sequencesPerRecord
    return this.#starts[(record + 1) * k] - this.#starts[record * k]
  }

  async read(record: number): Promise<TokenRecord> {
    const k = this.#sequencesPerRecord
    const first = this.#starts[record * k]
    const bytes = new Uint8Array(4 * this.tokensOf(record))
    await this.#source.read(4 * first, bytes)
    const words = wordsOf(bytes)
    return Array.from({ length: k }, (_, i): TokenSequence => {
      const start = this.#starts[record * k + i] - first
      const own = words.subarray(start, this.#starts[record * k + i + 1] - first)
      return {
        ids: own.map((word) => word & ~lossBit),
        loss: Uint8Array.from(own, (word) => (word < 0 ? 1 : 0)),
      }
    })
  }

  close(): Promise<void> {
    return this.#source.close()
  }
}

const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
