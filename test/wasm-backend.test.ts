// What is particular to the wasm backend: its programs for lesser engines, several heaps, and threads that are
// interrupted, fail, are ended, or are left behind. The operations themselves are in test/contract.
import { execFile } from "node:child_process"
import { Worker } from "node:worker_threads"
import { afterEach, expect, test } from "vitest"
import { type Backend, Interrupted } from "#cria/backends/backend"
import { WasmBackend, type WasmInternals } from "#cria/backends/wasm/wasm"
import { DisposedError, EngineCrashedError, InvalidOptionError, OutOfMemoryError } from "#cria/errors/index"
import { chain, weight } from "./contract/chain.js"
import { closeTo } from "./contract/random.js"

const open: Backend[] = []
async function create(threads: number, internals: WasmInternals = {}): Promise<WasmBackend> {
  const backend = await WasmBackend.create({ threads }, internals)
  open.push(backend)
  return backend
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.dispose()))
})

test("all programs agree: relaxed and plain SIMD, shared and single memory", async () => {
  const expected = await chain(await create(1))
  expect(await chain(await create(1, { shared: false }))).toEqual(expected)
  const plain = await chain(await create(1, { relaxed: false, shared: false }))
  closeTo(plain, expected, 0.02)
  expect(await chain(await create(3, { relaxed: false }))).toEqual(plain)
})

test("a backend without shared memory has one thread and no interrupt cell", async () => {
  const backend = await create(4, { shared: false })
  expect(backend.threads).toBe(1)
  expect(backend.interrupt).toBeUndefined()
  expect((await create(2, { relaxed: false })).description).toMatch(
    /^wasm: plain SIMD(, revectorized)?, 2 threads, 1 heap$/,
  )
})

test("weights and pages in further heaps give the same bits", async () => {
  const expected = await chain(await create(2))
  const MiB = 2 ** 20
  // Nothing but activations in heap 0.
  const backend = await create(2, { limits: { heap: 8 * MiB, weights: 0, pages: 0, margin: 6 * MiB } })
  expect(await chain(backend)).toEqual(expected)
  expect(backend.description).toMatch(/2 threads, [2-9] heaps$/)
})

test("a weight larger than any heap is refused before it is written", async () => {
  const backend = await create(1, { limits: { heap: 16 * 2 ** 20, margin: 2 ** 20 } })
  expect(() => backend.createWeight("f32", 4096, 4096)).toThrow(OutOfMemoryError)
  expect(() => backend.createWeight("int4", 16, 33)).toThrow(/groups of 32/)
})

/** Records seconds of work. */
function heavy(backend: Backend, times: number) {
  const w = weight(backend, "f32", 1024, 1024, 3)
  let x = backend.tensor(new Float32Array(256 * 1024), [256, 1024])
  for (let i = 0; i < times; i++) x = backend.linear(x, w)
  return x
}

test("an interrupt ends a running step soon, and the next step runs", async () => {
  const backend = await create(2)
  const cell = backend.interrupt!
  const scope = backend.scope()
  const y = heavy(backend, 400)
  const source = `const { workerData } = require("node:worker_threads")
    setTimeout(() => { Atomics.store(workerData.cell, 0, 1); workerData.at[0] = Date.now() }, 100)`
  const at = new Float64Array(new SharedArrayBuffer(8))
  const waker = new Worker(source, { eval: true, workerData: { cell, at } })
  await expect(backend.read(y)).rejects.toBeInstanceOf(Interrupted)
  expect(at[0]).toBeGreaterThan(0)
  expect(Date.now() - at[0]).toBeLessThan(1000)
  await waker.terminate()
  await expect(backend.read(y)).rejects.toBeInstanceOf(Interrupted)
  Atomics.store(cell, 0, 0)
  scope.end()
  const x = backend.tensor(Float32Array.of(1, 2, 3), [1, 3])
  expect(await backend.read(backend.add(x, x))).toEqual(Float32Array.of(2, 4, 6))
})

/** The workers that `make` starts. */
async function workersOf<T>(make: () => Promise<T>): Promise<{ made: T; workers: Worker[] }> {
  const workers: Worker[] = []
  const watch = (worker: Worker) => workers.push(worker)
  process.on("worker", watch)
  const made = await make()
  process.off("worker", watch)
  return { made, workers }
}

test("a thread that is gone before a step ends the backend with a typed error", async () => {
  const { made: backend, workers } = await workersOf(() => create(3))
  await workers[1].terminate()
  const x = () => backend.tensor(new Float32Array(4), [1, 4])
  expect(x).toThrow(EngineCrashedError)
  expect(x).toThrow(/load it again/)
})

test("a thread that goes in the middle of a step cannot hang the others", async () => {
  const { made: backend, workers } = await workersOf(() => create(3, { patienceSeconds: 1 }))
  const x = backend.tensor(new Float32Array(4), [1, 4])
  const y = backend.add(x, x)
  // Its end cannot be told to this thread, which does not return to the event loop before the step is over.
  const ended = workers[1].terminate()
  const start = Date.now()
  await expect(backend.read(y)).rejects.toBeInstanceOf(EngineCrashedError)
  expect(Date.now() - start).toBeLessThan(10_000)
  await expect(backend.read(y)).rejects.toBeInstanceOf(EngineCrashedError)
  await ended
})

test("dispose ends the workers, also while a read is under way", async () => {
  const { made: backend, workers } = await workersOf(() => create(3))
  const x = backend.tensor(new Float32Array(4), [1, 4])
  const reading = backend.read(backend.add(x, x)).catch((error: unknown) => error)
  await backend.dispose()
  expect(workers.map((worker) => worker.threadId)).toEqual([-1, -1])
  const outcome = await reading
  expect(outcome instanceof DisposedError || outcome instanceof Float32Array).toBe(true)
  await expect(backend.read(x)).rejects.toBeInstanceOf(DisposedError)
  expect(() => backend.add(x, x)).toThrow(DisposedError)
  expect(backend.allocatedBytes).toBe(0)
  await backend.dispose()
})

test("idle threads do not keep the process alive", async () => {
  const url = import.meta.resolve("#cria/backends/index")
  const source = `const { createBackend } = await import(${JSON.stringify(url)})
    const backend = await createBackend("wasm", { threads: 3 })
    const x = backend.tensor(Float32Array.of(1), [1, 1])
    console.log(await backend.read(backend.add(x, x)))`
  const output = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      ["--input-type=module", "-e", source],
      { timeout: 20_000 },
      (error, stdout, stderr) => (error ? reject(error) : resolve(stdout + stderr)),
    )
  })
  expect(output).toContain("2")
}, 30_000)

test("options are checked", async () => {
  for (const threads of [0, -1, 1.5, 65, Number.NaN]) {
    await expect(WasmBackend.create({ threads })).rejects.toBeInstanceOf(InvalidOptionError)
  }
})

test("what belongs to another backend, or to a scope that ended, is refused", async () => {
  const [one, two] = [await create(1), await create(1)]
  const scope = one.scope()
  const x = one.tensor(new Float32Array(4), [1, 4])
  expect(() => two.add(x, x)).toThrow(/another backend/)
  expect(() => two.linear(two.tensor(new Float32Array(4), [1, 4]), weight(one, "f32", 2, 4, 1))).toThrow(
    /another backend/,
  )
  scope.end()
  expect(() => one.add(x, x)).toThrow(/after the end of its scope/)
})

test("memory of scopes, weights and pages is counted, and comes back", async () => {
  const backend = await create(1)
  const before = backend.allocatedBytes
  weight(backend, "int4", 1024, 1024, 1)
  expect(backend.allocatedBytes - before).toBe((1024 / 16) * (1024 / 32) * 288)
  const layout = {
    layers: 4,
    kvHeads: 8,
    headWidth: 64,
    pageTokens: 64,
    capacity: 1000,
    dtype: "f16",
  } as const
  const withWeight = backend.allocatedBytes
  const pages = backend.createPages(layout)
  expect(backend.allocatedBytes).toBe(withWeight)
  pages.reserve(3)
  expect(backend.allocatedBytes - withWeight).toBe(3 * 4 * 2 * 8 * 64 * 64 * 2)
  pages.free()
  expect(backend.allocatedBytes).toBe(withWeight)
  const peak: number[] = []
  for (let step = 0; step < 5; step++) {
    const scope = backend.scope()
    const x = backend.tensor(new Float32Array(8 * 2 ** 20), [8192, 1024])
    await backend.read(backend.rows(backend.add(x, x), Int32Array.of(0)))
    peak.push(backend.allocatedBytes)
    scope.end()
  }
  expect(new Set(peak).size).toBe(1)
  expect(backend.allocatedBytes).toBeLessThan(withWeight + 64 * 2 ** 20)
})
