// Server-sent events out of a generator of texts. What comes together is sent together; a reader that does not read
// stops the generator, one that leaves ends it.
import { turnOfEvents } from "../engine/turn.js"

/** Characters that may wait for a slow reader before the generator is held back. */
const most = 32_768
/**
 * Milliseconds between two packets of a stream: 30 packets a second are more than a reader sees. Handing a packet to the
 * system costs as much as computing a token of a very small model, so where many streams run each has fewer, and all of
 * them together no more than 500 a second.
 */
export const packetInterval = (): number => Math.max(30, 2 * openStreams)
let openStreams = 0

/** One event of the stream. */
export const dataEvent = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

/**
 * Streams the texts as they come. `source` handles its own errors; `onCancel` is called when the reader leaves, and
 * has to make `source` end; so it is when the reader takes nothing for `stallTimeout` milliseconds, because an answer
 * that nobody reads keeps its place from others.
 */
export function eventStream(
  source: AsyncIterator<string>,
  onCancel: () => void,
  stallTimeout: number,
): Response {
  const encoder = new TextEncoder()
  let buffer = ""
  let ended = false
  let cancelled = false
  let onText = () => {}
  let onRoom = () => {}
  let onPace = () => {}
  let lastPacket = -Infinity

  let fail: (error: Error) => void = () => {}

  /** Waits until the reader took what waits; false when that takes too long. */
  const room = () =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), stallTimeout)
      onRoom = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })

  /** Waits until the next packet may leave, or the stream has ended. */
  const paced = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      onPace = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  const pump = async () => {
    openStreams++
    try {
      for (let next = await source.next(); !next.done; next = await source.next()) {
        if (cancelled) continue
        buffer += next.value
        onText()
        if (buffer.length > most && !(await room())) {
          cancelled = true
          onCancel()
          fail(new Error(`the reader took nothing for ${stallTimeout} ms`))
        }
      }
    } finally {
      openStreams--
      ended = true
      onText()
      onPace()
    }
  }

  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        fail = (error) => controller.error(error)
        void pump()
      },
      async pull(controller) {
        if (buffer === "" && !ended)
          await new Promise<void>((resolve) => {
            onText = resolve
          })
        if (!ended) {
          const early = lastPacket + packetInterval() - performance.now()
          if (early > 1) await paced(early)
          else await turnOfEvents() // texts of the same step, and of steps that came meanwhile, join
        }
        if (cancelled) return
        lastPacket = performance.now()
        const text = buffer
        buffer = ""
        onRoom()
        if (text !== "") controller.enqueue(encoder.encode(text))
        if (ended && buffer === "") controller.close()
      },
      cancel() {
        cancelled = true
        buffer = ""
        onRoom()
        onPace()
        onCancel()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 4096 }),
  )
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  })
}
