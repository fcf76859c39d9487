// What a teacher says about the tokens of a source, asked once and kept on disk in shards (Node only): for each token the k
// likeliest in its place. A shard that is there is not made again, so an interrupted run goes on where it was.
import { stat } from "node:fs/promises"
import type { RecordStore, TokenRecord } from "../data/record.js"
import { InvalidFileError } from "../errors/index.js"
import type { ByteSource } from "../formats/byte-source.js"
import { fileSource } from "../formats/file-source.js"
import { writeFileAtomically } from "../formats/write-file.js"
import type { TopTokens } from "./methods/distributions.js"
import type { TaughtSequence } from "./packing.js"

/** Asks the teacher about records: for each token of theirs, in order, the k likeliest; those of first tokens are zero. */
export interface Teaching {
  /** Says which teacher this is and how it is asked. */
  readonly key: string
  readonly k: number
  ask(records: readonly TokenRecord[]): Promise<TopTokens>
}

const recordsPerShard = 1024

export class TeacherStore implements RecordStore {
  readonly #base: RecordStore
  readonly #shards: readonly ByteSource[]
  readonly #k: number
  /** First token of each record within its shard. */
  readonly #starts: Int32Array
  readonly records: number
  readonly tokens: number

  private constructor(base: RecordStore, shards: readonly ByteSource[], k: number, starts: Int32Array) {
    this.#base = base
    this.#shards = shards
    this.#k = k
    this.#starts = starts
    this.records = base.records
    this.tokens = base.tokens
  }

  /** Opens the shards `<path>-00000` and so on, and makes those that are missing. */
  static async open(
    base: RecordStore,
    path: string,
    teaching: Teaching,
    { onShard, signal }: { onShard?: (done: number, total: number) => void; signal?: AbortSignal } = {},
  ): Promise<TeacherStore> {
    const starts = new Int32Array(base.records)
    const shards: ByteSource[] = []
    const total = Math.ceil(base.records / recordsPerShard)
    for (let shard = 0; shard < total; shard++) {
      signal?.throwIfAborted()
      const first = shard * recordsPerShard
      const end = Math.min(base.records, first + recordsPerShard)
      let tokens = 0
      for (let record = first; record < end; record++) {
        starts[record] = tokens
        tokens += base.tokensOf(record)
      }
      const file = `${path}-${String(shard).padStart(5, "0")}`
      if (!(await stat(file).catch(() => undefined))) {
        const records: TokenRecord[] = []
        for (let record = first; record < end; record++) records.push(await base.read(record))
        const { ids, p } = await teaching.ask(records)
        const bytes = new Uint8Array(ids.byteLength + p.byteLength)
        bytes.set(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
        bytes.set(new Uint8Array(p.buffer, p.byteOffset, p.byteLength), ids.byteLength)
        await writeFileAtomically(file, bytes)
      }
      const source = await fileSource(file)
      shards.push(source)
      if (source.size !== tokens * teaching.k * 8)
        throw new InvalidFileError(`${file} is damaged: delete it, the teacher is asked again`)
      onShard?.(shard + 1, total)
    }
    return new TeacherStore(base, shards, teaching.k, starts)
  }

  tokensOf(record: number): number {
    return this.#base.tokensOf(record)
  }

  async read(record: number): Promise<TokenRecord> {
    const source = this.#shards[Math.floor(record / recordsPerShard)]
    const sequences = await this.#base.read(record)
    let at = this.#starts[record] * this.#k * 4
    const taught: TaughtSequence[] = []
    for (const sequence of sequences) {
      const size = sequence.ids.length * this.#k * 4
      const bytes = new Uint8Array(2 * size)
      await source.read(at, bytes.subarray(0, size))
      await source.read(source.size / 2 + at, bytes.subarray(size))
      const teacher = {
        k: this.#k,
        ids: new Int32Array(bytes.buffer, 0, size / 4),
        p: new Float32Array(bytes.buffer, size, size / 4),
      }
      taught.push({ ...sequence, teacher })
      at += size
    }
    return taught
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()))
  }
}
