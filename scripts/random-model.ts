// Writes a model of the exact Llama 3.2 shape with random weights, for measuring speed and memory where no real
// weights can be had. Streamed to disk, never in memory whole. The text it generates is noise.
//
//   npm run build
//   npx tsx scripts/random-model.ts --shape 1b --weights int4 --tokenizer path/to/tokenizer.model /tmp/1b-int4.gguf
//   npx tsx scripts/random-model.ts --shape 3b --weights bf16 --tokenizer path/to/tokenizer.model /tmp/3b-bf16
//
// A name that ends in .gguf gives a GGUF file (4-bit matrices come with an 8-bit embedding, as in the released
// models), any other a Hugging Face folder of f32, f16 or bf16 shards.
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Produce, writeFileAtomically, writeGguf, writeSafetensors } from "#cria/formats/node"
import { frequencyDivisors, ggufMetadata, huggingFaceConfig } from "#cria/model/index"
import type { ModelConfig } from "#cria/model/index"
import { blockName, blockTensors, topName, type BlockTensor } from "#cria/model/names"
import { exportTokenizerJson, Tokenizer } from "#cria/tokenizer/index"
import { encodeRows, kindEncodings, rowBytes, weightKinds, type WeightKind } from "#cria/weights/index"

const shapes = {
  "1b": { width: 2048, layers: 16, queryHeads: 32, kvHeads: 8, headWidth: 64, feedForwardWidth: 8192 },
  "3b": { width: 3072, layers: 28, queryHeads: 24, kvHeads: 8, headWidth: 128, feedForwardWidth: 8192 },
}
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: "string", default: "1b" },
    weights: { type: "string", default: "int4" },
    tokenizer: { type: "string" },
  },
})
const [path] = positionals
/** GGUF has no blocks with one scale a row. */
type FileKind = Exclude<WeightKind, "int8-channel">
const isFileKind = (kind: WeightKind): kind is FileKind => kind !== "int8-channel"
const kind = weightKinds.filter(isFileKind).find((kind) => kind === values.weights)
if (!path || !(values.shape in shapes) || !kind || !values.tokenizer) {
  console.error(
    `usage: npx tsx scripts/random-model.ts --shape 1b|3b --weights ${weightKinds.join("|")} --tokenizer tokenizer.model OUT`,
  )
  process.exit(2)
}

const config: ModelConfig = {
  ...shapes[values.shape as keyof typeof shapes],
  vocabularySize: 128256,
  normEpsilon: 1e-5,
  contextLength: 131072,
  tiedEmbeddings: true,
  ropeTheta: 500000,
  ropeScaling: { factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192 },
  bos: 128000,
  stopTokens: [128001, 128009, 128008],
}
const tokenizer = Tokenizer.fromTiktoken(await readFile(values.tokenizer))
const toGguf = path.endsWith(".gguf")
const format = toGguf ? "gguf" : "huggingface"
const { width: D, headWidth: E, feedForwardWidth: F, vocabularySize: V } = config
const [X, Y] = [config.queryHeads * E, config.kvHeads * E]
const extents: Record<BlockTensor, number[]> = {
  attentionNorm: [D],
  query: [X, D],
  key: [Y, D],
  value: [Y, D],
  attentionOutput: [D, X],
  feedForwardNorm: [D],
  gate: [F, D],
  up: [F, D],
  down: [D, F],
}

const entry = (name: string, shape: number[], wanted: FileKind) => {
  const held: FileKind = shape.length === 1 ? "f32" : wanted
  const byteLength = (shape.length === 1 ? 1 : shape[0]) * rowBytes(held, shape.at(-1)!)
  return { name, shape, encoding: kindEncodings[held], byteLength, kind: held }
}
const entries = [
  entry(topName(format, "embedding"), [V, D], kind.startsWith("int4") ? "int8" : kind),
  ...Array.from({ length: config.layers }, (_, layer) =>
    blockTensors.map((tensor) => entry(blockName(format, tensor, layer), extents[tensor], kind)),
  ).flat(),
  entry(topName(format, "norm"), [D], kind),
]

/** 64 rows of normal values around 0 with deviation 0.02, repeated; a row's start shifts, so that no two chunks agree. */
const produce: Produce = async function* (name) {
  const { shape, kind, byteLength } = entries.find((entry) => entry.name === name)!
  const columns = shape.at(-1)!
  if (shape.length === 1) {
    yield new Uint8Array(new Float32Array(columns).fill(1).buffer)
    return
  }
  const pool = new Uint8Array(64 * rowBytes(kind, columns))
  const normal = () =>
    0.02 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  encodeRows(kind, Float32Array.from({ length: 64 * columns }, normal), columns, pool)
  const size = rowBytes(kind, columns)
  for (let written = 0; written < byteLength; ) {
    const first = Math.floor(Math.random() * 63) * size
    const piece = pool.subarray(first, Math.min(pool.length, first + byteLength - written))
    yield piece
    written += piece.length
  }
}

if (toGguf) {
  const divisors = frequencyDivisors(config)!
  const rope = {
    name: "rope_freqs.weight",
    shape: [divisors.length],
    encoding: "f32",
    byteLength: divisors.byteLength,
  } as const
  await writeGguf(
    path,
    ggufMetadata(config, { name: `random ${values.shape}`, tokenizer }),
    [rope, ...entries],
    (name) => (name === rope.name ? once(new Uint8Array(divisors.buffer)) : produce(name)),
  )
} else {
  await mkdir(path, { recursive: true })
  await writeSafetensors(path, entries, produce, { maxShardBytes: 5e9 })
  const dtypes = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const
  const dtype = dtypes[kind as keyof typeof dtypes]
  await writeFileAtomically(
    join(path, "config.json"),
    JSON.stringify(huggingFaceConfig(config, dtype), null, 2),
  )
  await writeFileAtomically(join(path, "tokenizer.json"), JSON.stringify(exportTokenizerJson(tokenizer)))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
