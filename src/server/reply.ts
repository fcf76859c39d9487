// What the server answers, as plain data. The listener of node.ts writes it as it is, which takes less time than a web
// Response; whoever mounts the handler gets that.

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Packets
}

/** A body that is written bit by bit. */
export interface Packets {
  /** Writes all of it. Call it once. */
  write(sink: Sink): Promise<void>
  /** Ends it early: nobody reads any more. */
  cancel(): void
}

/** Where packets go. It takes them at any time, also when its reader has left: then they are lost. */
export interface Sink {
  /** False where the reader is behind, and the next packet should wait until `room` resolves. */
  write(packet: string): boolean
  /** Resolves when the reader has taken what waits, or has left. */
  room(): Promise<void>
  /** The last packet. */
  end(packet: string): void
  /** Breaks the connection off. */
  destroy(error: Error): void
}

export const json = (value: unknown, status = 200, headers: Reply["headers"] = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(value),
})

export const toResponse = ({ status, headers, body }: Reply): Response =>
  new Response(typeof body === "string" ? body : streamOf(body), { status, headers })

/** Bytes that may wait for a slow reader. */
const most = 32_768

function streamOf(packets: Packets): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let open = true
  let onRoom = () => {}
  const sinkOf = (controller: ReadableStreamDefaultController<Uint8Array>): Sink => {
    const write = (packet: string) => {
      if (open && packet !== "") controller.enqueue(encoder.encode(packet))
      return !open || controller.desiredSize! > 0
    }
    return {
      write,
      room: () =>
        new Promise((resolve) => {
          onRoom = resolve
        }),
      end: (packet) => {
        write(packet)
        if (open) controller.close()
        open = false
      },
      destroy: (error) => {
        open = false
        controller.error(error)
      },
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => void packets.write(sinkOf(controller)),
      pull: () => onRoom(),
      cancel: () => {
        open = false
        onRoom()
        packets.cancel()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: most }),
  )
}
