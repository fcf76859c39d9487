// Server-sent events of an answer that is being written. A reader that does not read stops the engine, one that leaves
// ends the answer.
import type { Batches } from "../engine/generation.js"
import type { Piece } from "../engine/options.js"
import { type ApiError, toApiError } from "./api-error.js"
import type { Packets, Reply, Sink } from "./reply.js"
import type { Work } from "./work.js"

/**
 * Milliseconds between two packets of a stream: 30 packets a second are more than a reader sees. Where many streams run the
 * engine makes it longer.
 */
export const packetInterval = 30

/** How an answer is written in events. */
export interface EventWriter {
  /** The events of some pieces, or "". */
  write(pieces: readonly Piece[]): string
  /** The last events. */
  end(): string
  /** The last event where something went wrong. */
  fail(error: ApiError): string
}

/** One event of a stream. */
export const dataEvent = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

/**
 * Streams an answer, each group of pieces in a packet of its own, and ends the work. A reader that takes nothing for
 * `stallTimeout` milliseconds is taken for gone, because an answer that nobody reads keeps its place from others.
 */
export function eventStream(
  first: IteratorResult<readonly Piece[], void>,
  rest: Batches,
  writer: EventWriter,
  work: Work,
  stallTimeout: number,
): Reply {
  const write = async (sink: Sink) => {
    work.onPiece()
    let last: string
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        if (sink.write(writer.write(next.value)) || (await hasRoom(sink, stallTimeout))) continue
        sink.destroy(new Error(`the reader took nothing for ${stallTimeout} ms`))
        work.abort()
      }
      last = writer.end()
    } catch (error) {
      last = writer.fail(toApiError(work.signal.aborted ? work.signal.reason : error))
    }
    work.end()
    sink.end(last)
  }
  const body: Packets = { write, cancel: () => work.abort() }
  return {
    status: 200,
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
    body,
  }
}

/** Waits until the reader took what waits; false when that takes too long. */
async function hasRoom(sink: Sink, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  try {
    return await Promise.race([sink.room().then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
