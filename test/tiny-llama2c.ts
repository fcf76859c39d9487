// Writes a small random model with a byte vocabulary in llama2.c's format into a folder: enough for an engine to run.
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { seeded } from "./contract/random.js"

export interface TinyFolder {
  readonly path: string
  readonly contextLength: number
  remove(): Promise<void>
}

export async function tinyLlama2c(contextLength = 4096, width = 64, layers = 2): Promise<TinyFolder> {
  const path = await mkdtemp(join(tmpdir(), "cria-engine-"))
  const [hidden, heads, kvHeads, vocabulary] = [2 * width, 4, 2, 3 + 256]
  const header = [width, hidden, layers, heads, kvHeads, vocabulary, contextLength]
  const perLayer = 2 * width * width + 2 * (width / 2) * width + 3 * hidden * width
  const random = seeded(7)
  const values = (count: number, size: number) =>
    Float32Array.from({ length: count }, () => (random() - 0.5) * size)
  const scale = 4 / Math.sqrt(width)
  const ones = (count: number) => new Float32Array(count).fill(1)
  const attention = (perLayer - 3 * hidden * width) * layers
  const parts = [
    Int32Array.from(header),
    values(vocabulary * width, 2),
    ones(layers * width),
    values(attention, scale),
    ones(layers * width),
    values(3 * hidden * width * layers, scale),
    ones(width),
    new Float32Array(contextLength * (width / heads)),
  ]
  await writeFile(join(path, "model.bin"), Buffer.concat(parts.map((part) => Buffer.from(part.buffer))))
  await writeFile(join(path, "tokenizer.bin"), tokenizerBytes(vocabulary))
  return { path, contextLength, remove: () => rm(path, { recursive: true, force: true }) }
}

function tokenizerBytes(vocabulary: number): Buffer {
  const tokens = Array.from({ length: vocabulary }, (_, id) => {
    const text = Buffer.from(
      id < 3 ? ["<unk>", "<s>", "</s>"][id] : `<0x${(id - 3).toString(16).padStart(2, "0")}>`,
    )
    const head = Buffer.alloc(8)
    head.writeInt32LE(text.length, 4)
    return Buffer.concat([head, text])
  })
  return Buffer.concat([Buffer.from([8, 0, 0, 0]), ...tokens])
}
