// What is particular to the native backend: its instruction sets and their self-check, threads that are interrupted or
// left behind, workers that are ended under it, and memory that comes back. The operations are in test/contract.
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Worker } from "node:worker_threads"
import { afterEach, describe, expect, test } from "vitest"
import { type Backend, createBackend, Interrupted, nativeAbsence } from "#cria/backends/index"
import type { Addon } from "#cria/backends/native/addon"
import { findAddon } from "#cria/backends/native/loader"
import { NativeBackend, type NativeInternals } from "#cria/backends/native/native"
import { DisposedError, InvalidOptionError, OutOfMemoryError } from "#cria/errors/index"
import { decodeRows, encodeRows, rowBytes } from "#cria/weights/index"
import { chain, weight } from "./contract/chain.js"
import { closeTo, randomValues, seeded } from "./contract/random.js"

const open: Backend[] = []
async function create(threads: number, internals: NativeInternals = {}): Promise<NativeBackend> {
  const backend = await NativeBackend.create({ threads }, internals)
  open.push(backend)
  return backend
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.dispose()))
})

function addon(): Addon {
  const found = findAddon()
  if ("reason" in found) throw new Error(found.reason)
  return found.addon
}

const dist = fileURLToPath(new URL("../dist", import.meta.url))
const absence = await nativeAbsence()
if (absence !== undefined) test.skip(`native backend: ${absence}`, () => {})

describe.skipIf(absence !== undefined)("native", () => {
  test("all instruction sets of this processor agree", async () => {
    const sets = addon().instructionSets
    const expected = await chain(await create(1, { instructionSet: sets.at(-1)! }))
    for (const instructionSet of sets.slice(0, -1)) {
      closeTo(await chain(await create(3, { instructionSet })), expected, 0.02)
    }
  })

  test("auto takes it, and says what it is", async () => {
    const backend = await createBackend("auto", { threads: 2 })
    open.push(backend)
    expect(backend.name).toBe("native")
    expect(backend.description).toBe(`native: ${addon().instructionSets[0]}, 2 threads, built here`)
  })

  test("an instruction set that computes wrongly is not used", async () => {
    const real = addon()
    const [best, ...others] = real.instructionSets
    const sets = new Map<object, string>()
    const wrong: Addon = {
      ...real,
      create(set, threads) {
        const machine = real.create(set, threads)
        sets.set(machine, set)
        return machine
      },
      read(machine, address, into) {
        real.read(machine, address, into)
        if (sets.get(machine) === best && into instanceof Float32Array) into[0] = Number.NaN
      },
    }
    const backend = await create(1, { addon: wrong })
    expect(backend.description).toContain(`native: ${others[0]}, 1 thread`)
    expect(backend.description).toContain(
      `not ${best} because its self-check failed (linear with f32 weights)`,
    )
    expect(await chain(backend)).toEqual(await chain(await create(1, { instructionSet: others[0] })))
  })

  test("rows that are encoded while they are loaded have the bits of encodeRows", async () => {
    const backend = await create(2)
    const [rows, columns] = [9, 96]
    const ids = Int32Array.from({ length: rows }, (_, row) => row)
    for (const from of ["f32", "f16", "bf16"] as const) {
      const values = randomValues(seeded(3), rows * columns)
      values.fill(0, 0, 64) // groups of zeros
      values.subarray(96, 192).forEach((value, i) => (values[96 + i] = value * 1e-7)) // subnormal scales
      values.subarray(192, 288).forEach((value, i) => (values[192 + i] = value * 300))
      const bytes = new Uint8Array(rows * rowBytes(from, columns))
      encodeRows(from, values, columns, bytes)
      const kept = new Float32Array(values.length)
      decodeRows(from, bytes, columns, kept)
      for (const kind of ["int8", "int8-channel", "int4", "int4-min"] as const) {
        const expected = new Uint8Array(rows * rowBytes(kind, columns))
        encodeRows(kind, kept, columns, expected)
        const decoded = new Float32Array(values.length)
        decodeRows(kind, expected, columns, decoded)
        const writer = backend.createWeight(kind, rows, columns)
        expect(writer.encode!(from, bytes.subarray(0, 4 * rowBytes(from, columns)))).toBe(true)
        expect(writer.encode!(from, bytes.subarray(4 * rowBytes(from, columns)))).toBe(true)
        const table = await backend.read(backend.embedding(writer.finish(), ids))
        expect(table, `${from} to ${kind}`).toEqual(decoded)
      }
      for (const wrong of [Number.NaN, Infinity]) {
        const spoilt = values.slice()
        spoilt[100] = wrong
        encodeRows(from, spoilt, columns, bytes)
        for (const kind of ["int8", "int8-channel", "int4", "int4-min"] as const)
          expect(backend.createWeight(kind, rows, columns).encode!(from, bytes), `${from} to ${kind}`).toBe(
            false,
          )
      }
    }
    expect(backend.createWeight("f16", 1, 32).encode!("f32", new Uint8Array(128))).toBe(false)
  })

  test("more threads than cores give the same bits", async () => {
    const expected = await chain(await create(1))
    expect(await chain(await create(17))).toEqual(expected)
  })

  /** Records seconds of work. */
  function heavy(backend: Backend, times: number) {
    const w = weight(backend, "f32", 1024, 1024, 3)
    let x = backend.tensor(new Float32Array(256 * 1024), [256, 1024])
    for (let i = 0; i < times; i++) x = backend.linear(x, w)
    return x
  }

  test.each([1, 2])(
    "an interrupt ends a running step soon, and the next step runs: %i threads",
    async (threads) => {
      const backend = await create(threads)
      const cell = backend.interrupt
      const scope = backend.scope()
      const y = heavy(backend, 1000)
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
    },
  )

  test("an interrupted step that nobody read is told by the next read", async () => {
    const backend = await create(2)
    const into = backend.tensor(Float32Array.of(1, 2), [1, 2])
    Atomics.store(backend.interrupt, 0, 1)
    const scope = backend.scope()
    backend.accumulate(into, into, 1)
    scope.end()
    Atomics.store(backend.interrupt, 0, 0)
    await expect(backend.read(into)).rejects.toBeInstanceOf(Interrupted)
    expect(await backend.read(into)).toEqual(Float32Array.of(1, 2))
  })

  test("dispose may come twice, and ends what comes after", async () => {
    const backend = await create(3)
    const x = backend.tensor(new Float32Array(4), [1, 4])
    const pages = backend.createPages({
      layers: 1,
      kvHeads: 1,
      headWidth: 8,
      pageTokens: 16,
      capacity: 4,
      dtype: "f16",
    })
    const scope = backend.scope()
    const writer = backend.createWeight("f32", 2, 4)
    const reading = backend.read(backend.add(x, x)).catch((error: unknown) => error)
    await backend.dispose()
    const outcome = await reading
    expect(outcome instanceof DisposedError || outcome instanceof Float32Array).toBe(true)
    await expect(backend.read(x)).rejects.toBeInstanceOf(DisposedError)
    expect(() => backend.add(x, x)).toThrow(DisposedError)
    expect(() => writer.write(new Uint8Array(16))).toThrow(DisposedError)
    expect(() => backend.createWeight("f32", 2, 4)).toThrow(DisposedError)
    expect(backend.allocatedBytes).toBe(0)
    scope.end()
    pages.free()
    await backend.dispose()
  })

  /** A worker that computes on a backend of its own, for as long as it lives where `endless`. */
  const busy = (endless: boolean) => {
    const source = `(async () => {
      const { createBackend } = await import(${JSON.stringify(import.meta.resolve("#cria/backends/index"))})
      const { parentPort } = require("node:worker_threads")
      const backend = await createBackend("native", { threads: 3 })
      do {
        const scope = backend.scope()
        let x = backend.tensor(new Float32Array(64 * 64).fill(0.5), [64, 64])
        const w = backend.weight(x)
        for (let i = 0; i < 20; i++) x = backend.scale(backend.linear(x, w), 1 / 32)
        const [first] = await backend.read(x)
        scope.end()
        parentPort.postMessage(first)
        await new Promise(setImmediate)
      } while (${endless})
    })()`
    return new Worker(source, { eval: true })
  }
  const firstMessage = (worker: Worker) =>
    new Promise<unknown>((resolve, reject) => {
      worker.once("message", resolve)
      worker.once("error", reject)
    })

  test("backends of three workers at once; one ended in the middle of its work takes nothing with it", async () => {
    const here = await create(2)
    const workers = [busy(true), busy(true), busy(true)]
    const values = await Promise.all(workers.map(firstMessage))
    expect(new Set(values)).toEqual(new Set([0.5]))
    await workers[0].terminate()
    expect(await firstMessage(workers[1])).toBe(0.5)
    const x = here.tensor(Float32Array.of(1, 2), [1, 2])
    expect(await here.read(here.add(x, x))).toEqual(Float32Array.of(2, 4))
    await Promise.all(workers.map((worker) => worker.terminate()))
  })

  test("a worker that ends without dispose frees its threads and memory", async () => {
    const before = threadsNow()
    for (let i = 0; i < 5; i++) {
      const worker = busy(i % 2 === 0)
      await firstMessage(worker)
      await worker.terminate()
    }
    if (before !== undefined) expect(threadsNow()).toBeLessThanOrEqual(before + 2)
  })

  test("memory and threads come back: fifty backends one after the other", async () => {
    const cycle = async () => {
      const backend = await NativeBackend.create({ threads: 3 })
      for (let i = 0; i < 20; i++) backend.tensor(new Float32Array(2 ** 18), [2 ** 18])
      const scope = backend.scope()
      const x = backend.tensor(new Float32Array(2 ** 20).fill(1), [4, 2 ** 18])
      await backend.read(backend.rows(backend.add(x, x), Int32Array.of(0)))
      scope.end()
      await backend.dispose()
    }
    for (let i = 0; i < 5; i++) await cycle()
    const [threads, resident] = [threadsNow(), process.memoryUsage().rss]
    for (let i = 0; i < 50; i++) await cycle()
    if (threads !== undefined) expect(threadsNow()).toBeLessThanOrEqual(threads)
    // One backend of these holds some 40 MiB.
    expect(process.memoryUsage().rss - resident).toBeLessThan(200 * 2 ** 20)
  })

  test("idle threads do not keep the process alive", async () => {
    const url = import.meta.resolve("#cria/backends/index")
    const source = `const { createBackend } = await import(${JSON.stringify(url)})
      const backend = await createBackend("native", { threads: 3 })
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
      await expect(NativeBackend.create({ threads })).rejects.toBeInstanceOf(InvalidOptionError)
    }
  })

  test("what belongs to another backend, to a scope that ended, or to what has changed, is refused", async () => {
    const [one, two] = [await create(1), await create(1)]
    const scope = one.scope()
    const x = one.tensor(new Float32Array(4), [1, 4])
    expect(() => two.add(x, x)).toThrow(/another backend/)
    expect(() => two.linear(two.tensor(new Float32Array(4), [1, 4]), weight(one, "f32", 2, 4, 1))).toThrow(
      /another backend/,
    )
    const view = one.weight(x)
    one.fill(x, 1)
    expect(() => one.linear(x, view)).toThrow(/had changed/)
    scope.end()
    expect(() => one.add(x, x)).toThrow(/after the end of its scope/)
  })

  test("more memory than there is is refused, and the backend goes on", async () => {
    const backend = await create(1)
    expect(() => backend.createWeight("f32", 2 ** 24, 2 ** 24)).toThrow(OutOfMemoryError)
    expect(() => backend.createWeight("int4", 16, 33)).toThrow(/groups of 32/)
    const scope = backend.scope()
    const x = backend.tensor(new Float32Array(2 ** 20), [2 ** 20, 1])
    const w = weight(backend, "f32", 2 ** 14, 1, 1)
    expect(() => backend.linear(x, w)).toThrow(OutOfMemoryError)
    expect((await backend.read(backend.add(x, x)))[0]).toBe(0)
    scope.end()
  })

  test("memory of scopes, weights and pages is counted, and comes back", async () => {
    const backend = await create(1)
    weight(backend, "int4", 1024, 1024, 1) // takes the buffer that rows come through
    const before = backend.allocatedBytes
    weight(backend, "int4", 1024, 1024, 1)
    const held = backend.allocatedBytes - before
    expect(held).toBeGreaterThanOrEqual(1024 * rowBytes("int4", 1024))
    expect(held).toBeLessThan(1.2 * 1024 * rowBytes("int4", 1024))
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
    // What a large step took is given back bit by bit while small ones run.
    const large = backend.allocatedBytes
    for (let step = 0; step < 100; step++) backend.scope().end()
    expect(backend.allocatedBytes).toBeLessThan(withWeight + 64 * 2 ** 20)
    expect(backend.allocatedBytes).toBeLessThan(large)
  })

  test("a tensor that a scope keeps has its values in the scope around it, and beyond all of them", async () => {
    const backend = await create(2)
    const outer = backend.scope()
    const first = backend.tensor(Float32Array.of(7), [1, 1])
    const inner = backend.scope()
    backend.tensor(new Float32Array(1000), [1000, 1])
    const [a, b] = [1, 2].map((value) => backend.tensor(new Float32Array(5000).fill(value), [50, 100]))
    const sum = backend.add(a, b)
    inner.end([sum, b, sum, first])
    expect(() => backend.add(a, a)).toThrow(/after the end of its scope/)
    const kept = backend.add(sum, b)
    expect(await backend.read(kept)).toEqual(new Float32Array(5000).fill(5))
    outer.end([kept])
    for (let i = 0; i < 3; i++) {
      const other = backend.scope()
      backend.tensor(new Float32Array(20_000).fill(9), [20_000, 1])
      other.end()
    }
    expect(await backend.read(kept)).toEqual(new Float32Array(5000).fill(5))
  })
})

describe("where the addon comes from", () => {
  /** What a copy of the package whose addon is gone says, with packages of this folder installed. */
  async function described(packages: string): Promise<string> {
    const copy = await mkdtemp(join(tmpdir(), "cria-native-"))
    try {
      for (const layer of ["backends", "errors", "ops", "platform", "tensor", "weights"])
        await cp(join(dist, layer), join(copy, layer), { recursive: true })
      for (const name of ["cria.node", "build.json"])
        await rm(join(copy, "backends/native", name), { force: true })
      await writeFile(join(copy, "package.json"), `{"type":"module"}`)
      await writeFile(
        join(copy, "main.js"),
        `import { createBackend, nativeAbsence } from "./backends/index.js"
        const backend = await createBackend("auto", { threads: 1 })
        console.log(backend.description, "|", await nativeAbsence())
        await backend.dispose()`,
      )
      const env = { ...process.env, NODE_PATH: packages }
      const { stdout } = await promisify(execFile)(process.execPath, [join(copy, "main.js")], { env })
      return stdout.trim()
    } finally {
      await rm(copy, { recursive: true, force: true })
    }
  }

  test("without one, auto is wasm, and the reason is told", async () => {
    expect(await described("/nowhere")).toMatch(
      /^wasm: .* \| the package was installed without a build of its native code; the package @cria\/native-\S+ is not installed$/,
    )
  })

  test.skipIf(absence !== undefined)(
    "a package of the platform takes its place",
    async () => {
      const packages = await mkdtemp(join(tmpdir(), "cria-packages-"))
      try {
        const name = `@cria/native-${process.platform}-${process.arch}`
        const script = join(dist, "../scripts/package-native.mjs")
        await promisify(execFile)(process.execPath, [script, "--this-processor", join(packages, name)])
        expect(await described(packages)).toMatch(new RegExp(`^native: .*, 1 thread, ${name} \\| undefined$`))
      } finally {
        await rm(packages, { recursive: true, force: true })
      }
    },
    300_000,
  )
})

/** Threads of this process, where the system tells. */
function threadsNow(): number | undefined {
  try {
    return readdirSync("/proc/self/task").length
  } catch {
    return undefined
  }
}
