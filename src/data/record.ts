// An example as the trainer takes it: token ids, and which of them the loss is taken of.

/** Tokens of one text. */
export interface TokenSequence {
  readonly ids: Int32Array
  /** 1 where predicting this token counts in the loss, 0 where it is context only; one for each id. */
  readonly loss: Uint8Array
}

/** One sequence for pretraining and SFT; two for preferences, the chosen one first. */
export type TokenRecord = readonly TokenSequence[]

/** Records at hand by number: a token cache on disk, or a list in memory. */
export interface RecordStore {
  readonly records: number
  /** Tokens of all records. */
  readonly tokens: number
  /** Tokens of one record, all its sequences together. */
  tokensOf(record: number): number
  read(record: number): Promise<TokenRecord>
}

/** Records that are all in memory. */
export function recordsInMemory(records: readonly TokenRecord[]): RecordStore {
  const lengths = records.map((record) => record.reduce((sum, { ids }) => sum + ids.length, 0))
  return {
    records: records.length,
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    tokensOf: (record) => lengths[record],
    read: (record) => Promise.resolve(records[record]),
  }
}
