// How fast the machine reads memory: the product of one vector with a matrix of floats that no cache holds does
// little else.
import { type BackendName, createBackend } from "../backends/index.js"

const rows = 32_768
const columns = 2048
const passes = 15

/** Bytes a second that a backend's threads read together: the median of some passes over 256 MiB. */
export async function readBandwidth(name: BackendName, threads: number): Promise<number> {
  const backend = await createBackend(name, { threads })
  try {
    const writer = backend.createWeight("f32", rows, columns)
    const some = new Uint8Array(64 * columns * 4)
    for (let row = 0; row < rows; row += 64) writer.write(some)
    const weight = writer.finish()
    const x = backend.tensor(new Float32Array(columns), [1, columns])
    const seconds: number[] = []
    for (let pass = 0; pass <= passes; pass++) {
      const start = performance.now()
      const scope = backend.scope()
      await backend.read(backend.linear(x, weight))
      scope.end()
      // The first pass meets cold pages.
      if (pass > 0) seconds.push((performance.now() - start) / 1000)
    }
    return (rows * columns * 4) / seconds.toSorted((a, b) => a - b)[passes >> 1]
  } finally {
    await backend.dispose()
  }
}
