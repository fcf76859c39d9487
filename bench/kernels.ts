// Speed of a backend's kernels by kind of weight: one token (bytes of weight a second) and many tokens (multiply-adds
// a second), and attention over a cache. Counts processor time of one thread, best of several runs, so that other
// programs on the machine disturb little. Run: npx tsx bench/kernels.ts wasm|native [kind ... | attention]
import { parseArgs } from "node:util"
import { type Backend, createBackend } from "#cria/backends/index"
import type { Tensor } from "#cria/tensor/index"
import { encodeRows, rowBytes, weightKinds, type WeightKind } from "#cria/weights/index"

const runs = 9
const D = 2048
const F = 8192
const prefillTokens = 64

/** Values without a period that a kind of weight could profit from. */
const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * i))

/** Least processor seconds of a run. */
async function seconds(work: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run <= runs; run++) {
    const start = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(start)
    if (run > 0) best = Math.min(best, (user + system) / 1e6)
  }
  return best
}

/** Records `work` so many times in a scope and waits for the last result's first row. */
async function repeat(backend: Backend, times: number, work: () => Tensor): Promise<void> {
  const scope = backend.scope()
  let y = work()
  for (let i = 1; i < times; i++) y = work()
  await backend.read(backend.rows(y, Int32Array.of(0)))
  scope.end()
}

async function linear(backend: Backend, kind: WeightKind): Promise<void> {
  const bytes = rowBytes(kind, D)
  const some = new Uint8Array(64 * bytes)
  encodeRows(kind, values(64 * D), D, some)
  const writer = backend.createWeight(kind, F, D)
  for (let row = 0; row < F; row += 64) writer.write(some)
  const weight = writer.finish()
  const one = backend.tensor(values(D), [1, D])
  const many = backend.tensor(values(prefillTokens * D), [prefillTokens, D])
  const vector = (await seconds(() => repeat(backend, 4, () => backend.linear(one, weight)))) / 4
  const matrix = await seconds(() => repeat(backend, 1, () => backend.linear(many, weight)))
  const vectorRate = `${((F * bytes) / vector / 1e9).toFixed(1)} GB/s`
  const matrixRate = `${((prefillTokens * F * D) / matrix / 1e9).toFixed(1)} GMAC/s`
  console.log(
    `${kind.padEnd(13)} one token ${vectorRate.padStart(9)}   ${prefillTokens} tokens ${matrixRate.padStart(12)}`,
  )
}

async function attention(backend: Backend, tokens: number, context: number): Promise<void> {
  const [H, G, E] = [32, 8, 64]
  const pageTokens = 16
  const capacity = Math.ceil((context + tokens) / pageTokens)
  const pages = backend.createPages({
    layers: 1,
    kvHeads: G,
    headWidth: E,
    pageTokens,
    capacity,
    dtype: "f16",
  })
  const table = Int32Array.from({ length: capacity }, (_, page) => page)
  const attend = (length: number, cached: number) => {
    const q = backend.tensor(values(length * H * E), [length, H * E])
    const k = backend.tensor(values(length * G * E), [length, G * E])
    const sequences = [{ first: 0, length, cached, pages: table }]
    return () => backend.attention(q, k, k, sequences, E, { pages, layer: 0 })
  }
  const scope = backend.scope()
  for (let cached = 0; cached < context; cached += 512)
    await repeat(backend, 1, attend(Math.min(512, context - cached), cached))
  const times = tokens === 1 ? 8 : 1
  const work = attend(tokens, context)
  const time = (await seconds(() => repeat(backend, times, work))) / times
  scope.end()
  pages.free()
  const rate = `${((tokens * H * E * 2 * (context + tokens / 2)) / time / 1e9).toFixed(1)} GMAC/s`
  console.log(`attention     ${tokens} tokens at ${context}: ${(time * 1000).toFixed(2)} ms, ${rate}`)
}

const [name = "wasm", ...asked] = parseArgs({ allowPositionals: true }).positionals
const wanted = (part: string) => asked.length === 0 || asked.includes(part)
const backend = await createBackend(name === "native" ? "native" : "wasm", { threads: 1 })
console.log(`Node ${process.version}, ${backend.description}; weights [${F}, ${D}]`)
for (const kind of weightKinds) if (wanted(kind)) await linear(backend, kind)
if (wanted("attention")) {
  for (const context of [128, 2048]) await attention(backend, 1, context)
  await attention(backend, 512, 0)
}
await backend.dispose()
