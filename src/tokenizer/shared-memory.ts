// Where the tables of a tokenizer lie while it is made: one memory of WebAssembly, in which they are laid one after the
// other. It goes back to the system as a whole when the tables have moved on (table-memory.ts); of as many arrays the C
// library would keep some megabytes. Ordinary memory where threads cannot share any (a page that is not cross-origin isolated).

const pageBytes = 1 << 16
const alignment = 64
const mostPages = 1 << 13
/** Smaller arrays are ordinary ones. */
const leastBytes = 1 << 14

let memory: WebAssembly.Memory | undefined
let end = 0

function place(bytes: number): { buffer: ArrayBuffer; at: number } {
  if (typeof SharedArrayBuffer === "undefined") return { buffer: new ArrayBuffer(bytes), at: 0 }
  if (bytes >= leastBytes) {
    try {
      memory ??= new WebAssembly.Memory({ initial: 1, maximum: mostPages, shared: true })
      const missing = end + bytes - memory.buffer.byteLength
      if (missing > 0) memory.grow(Math.ceil(missing / pageBytes))
      const at = end
      end = Math.ceil((end + bytes) / alignment) * alignment
      return { buffer: memory.buffer, at }
    } catch {
      // No WebAssembly here, no address space, or more than it may have.
    }
  }
  return { buffer: new SharedArrayBuffer(bytes) as unknown as ArrayBuffer, at: 0 }
}

/** Lets go of the memory: it is freed with the last array in it. */
export function releaseTables(): void {
  memory = undefined
  end = 0
}

export function sharedBytes(length: number): Uint8Array {
  const { buffer, at } = place(length)
  return new Uint8Array(buffer, at, length)
}

export function sharedInts(length: number): Int32Array {
  const { buffer, at } = place(4 * length)
  return new Int32Array(buffer, at, length)
}
