// Where the tables of a tokenizer live: shared memory where the platform has it, so that a worker gets the
// same pages instead of a copy, and ordinary memory elsewhere (a page that is not cross-origin isolated).

function buffer(byteLength: number): ArrayBuffer {
  if (typeof SharedArrayBuffer === "undefined") return new ArrayBuffer(byteLength)
  return new SharedArrayBuffer(byteLength) as unknown as ArrayBuffer
}

export const sharedBytes = (length: number): Uint8Array => new Uint8Array(buffer(length))
export const sharedInts = (length: number): Int32Array => new Int32Array(buffer(4 * length))
