// Server-sent events of an answer that is being written. A reader that does not read stops the engine, one that leaves
// ends the answer.
import type { Batches } from "../engine/generation.js"
import type { Piece } from "../engine/options.js"
import { type ApiError, toApiError } from "./api-error.js"
import type { Work } from "./work.js"

/** Bytes that may wait for a slow reader before the engine is held back. */
const most = 32_768
let openStreams = 0

/**
 * Milliseconds between two packets of a stream: 30 packets a second are more than a reader sees. Handing a packet to the
 * system costs as much as computing a token of a very small model, so where many streams run each has fewer, and all of
 * them together about 500 a second.
 */
export const packetInterval = (): number => Math.max(30, 2 * openStreams)

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
): Response {
  const encoder = new TextEncoder()
  let gone = false
  let onRoom = () => {}

  const pump = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const send = (text: string) => {
      if (text !== "" && !gone) controller.enqueue(encoder.encode(text))
    }
    openStreams++
    work.onPiece()
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        if (gone) continue
        send(writer.write(next.value))
        if (controller.desiredSize! > 0 || (await room())) continue
        gone = true
        controller.error(new Error(`the reader took nothing for ${stallTimeout} ms`))
        work.abort()
      }
      send(writer.end())
    } catch (error) {
      send(writer.fail(toApiError(work.signal.aborted ? work.signal.reason : error)))
    } finally {
      openStreams--
      work.end()
      if (!gone) controller.close()
    }
  }

  /** Waits until the reader took what waits; false when that takes too long. */
  const room = () =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), stallTimeout)
      onRoom = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })

  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => void pump(controller),
      pull: () => onRoom(),
      cancel() {
        gone = true
        onRoom()
        work.abort()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: most }),
  )
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  })
}
