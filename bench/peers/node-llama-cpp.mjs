// Measures node-llama-cpp on a GGUF file and prints one JSON object in the form of `cria bench --json`.
//
//   node node-llama-cpp.mjs model.gguf --threads 2 --prefill 64,512 --decode 48
import { parseArgs } from "node:util"
import { getLlama, LlamaLogLevel } from "node-llama-cpp"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    prefill: { type: "string", default: "64,512" },
    decode: { type: "string", default: "48" },
    streams: { type: "string", default: "0" },
  },
})
const threads = Number(values.threads)
const prefill = values.prefill.split(",").map(Number)
const decode = Number(values.decode)
const streams = Number(values.streams)
/** Tokens of the prompt of each stream. */
const streamPrompt = 16

const started = performance.now()
const llama = await getLlama({
  gpu: false,
  build: "never",
  maxThreads: threads,
  logLevel: LlamaLogLevel.error,
})
const model = await llama.loadModel({ modelPath: positionals[0] })
const loadMilliseconds = performance.now() - started
const context = await model.createContext({
  contextSize: Math.max(...prefill) + decode + 16,
  threads,
  batchSize: 512,
})
const sequence = context.getSequence()
const random = (count) => Array.from({ length: count }, (_, i) => 1000 + ((i * 7919) % 50000))

/** Evaluates `tokens` and then generates `count` more; returns tokens a second of the generated ones. */
async function generate(tokens, count) {
  await sequence.clearHistory()
  let made = 0
  let first = 0
  for await (const _ of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    if (made++ === 0) first = performance.now()
    if (made > count) break
  }
  return (count * 1000) / (performance.now() - first)
}

/** Tokens a second of all streams together, while all of them are being written. */
async function sideBySide() {
  const many = await model.createContext({
    sequences: streams,
    contextSize: streamPrompt + decode + 16,
    threads,
    batchSize: 512,
  })
  const times = await Promise.all(
    Array.from({ length: streams }, async (_, stream) => {
      const own = many.getSequence()
      const at = []
      const prompt = random(streamPrompt).map((token) => token + stream)
      for await (const _ of own.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
        if (at.push(performance.now()) > decode) break
      }
      return at
    }),
  )
  const from = Math.max(...times.map((at) => at[0]))
  const to = Math.min(...times.map((at) => at.at(-1)))
  const within = times.flat().filter((time) => time > from && time <= to).length
  return (1000 * within) / (to - from)
}

await generate(random(16), 4) // warm up: pages of the mapped file, thread pool
const result = { prefill: [], decode: [], loadMilliseconds, residentBytes: 0 }
for (const tokens of prefill) {
  await sequence.clearHistory()
  const begun = performance.now()
  await sequence.evaluateWithoutGeneratingNewTokens(random(tokens))
  result.prefill.push({ tokens, tokensPerSecond: (tokens * 1000) / (performance.now() - begun) })
}
result.decode.push({ depth: 0, tokensPerSecond: await generate(random(1), decode) })
if (streams > 0) {
  sequence.dispose()
  await context.dispose()
  result.streams = { streams, tokensPerSecond: await sideBySide() }
}
result.residentBytes = process.memoryUsage.rss()
console.log(JSON.stringify(result))
await llama.dispose()
