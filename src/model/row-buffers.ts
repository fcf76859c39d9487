// The buffers that rows of matrices go through on their way into a backend: one set for a whole load, because what is
// left to the garbage collector for each matrix adds up to tens of megabytes.

const pageBytes = 1 << 16

export class RowBuffers {
  readonly #held = new Map<string, Uint8Array<ArrayBuffer>>()

  /** The first `bytes` of the buffer of that name, which holds anything. */
  take(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    let buffer = this.#held.get(name)
    if (!buffer || buffer.length < bytes) {
      // WebAssembly's memory goes back to the system when it is freed; of an ArrayBuffer the C library may keep it.
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) })
      buffer = new Uint8Array(memory.buffer)
      this.#held.set(name, buffer)
    }
    return buffer.subarray(0, bytes)
  }
}
