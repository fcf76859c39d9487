// The legacy float32 .bin of llama2.c: seven int32, then the tensors in the order in which run.c maps them. Knows
// the layout of the file; names and conventions of rotary pairs are the model's matter.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { type ByteSource, readBytes, takingOver } from "./byte-source.js"
import { type PlacedTensor, placedTensorFile, tensorBytes, type TensorFile } from "./tensor-file.js"

export interface Llama2cHeader {
  readonly dim: number
  readonly hidden_dim: number
  readonly n_layers: number
  readonly n_heads: number
  readonly n_kv_heads: number
  readonly vocab_size: number
  readonly seq_len: number
  /** Whether the embedding serves as classifier too; the file says no by a negative vocab_size. */
  readonly shared_classifier: boolean
}

const maxLayers = 4096

/** The header of a file, or undefined when the seven numbers cannot be those of a model. */
export async function readLlama2cHeader(source: ByteSource): Promise<Llama2cHeader | undefined> {
  if (source.size < 28) return undefined
  const view = new DataView((await readBytes(source, 0, 28, "the header")).buffer)
  const [dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocabulary, seq_len] = Array.from(
    { length: 7 },
    (_, i) => view.getInt32(i * 4, true),
  )
  const vocab_size = Math.abs(vocabulary)
  const positive = [dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len].every(
    (value) => value > 0,
  )
  if (!positive || n_layers > maxLayers || dim % n_heads !== 0 || n_heads % n_kv_heads !== 0) return undefined
  return {
    dim,
    hidden_dim,
    n_layers,
    n_heads,
    n_kv_heads,
    vocab_size,
    seq_len,
    shared_classifier: vocabulary > 0,
  }
}

/**
 * Opens a legacy llama2.c file and takes over its source. Tensors: `token_embedding_table` [V, D],
 * `rms_final_weight` [D], `wcls` [V, D] where it is not shared, and per layer `layers.N.` with
 * `rms_att_weight` [D], `wq` [D, D], `wk` and `wv` [KV, D], `wo` [D, D], `rms_ffn_weight` [D], `w1` and `w3`
 * [F, D], `w2` [D, F]. Metadata: the numbers of the header under run.c's names, and `shared_classifier`.
 */
export const openLlama2c = (source: ByteSource): Promise<TensorFile> =>
  takingOver([source], async () => {
    const magic = new DataView((await readBytes(source, 0, 4, "the header")).buffer).getUint32(0, true)
    if (magic === 0x616b3432)
      throw new UnsupportedError(
        `${source.name} is a versioned llama2.c file; Cria reads the legacy one: export it with --version 0`,
      )
    const header = await readLlama2cHeader(source)
    if (header === undefined)
      throw new InvalidFileError(
        `${source.name} is not a llama2.c model: its seven header numbers make no sense`,
      )
    const placed = new Map<string, PlacedTensor>()
    let offset = 28
    for (const { name, shape } of layout(header)) {
      const byteLength = tensorBytes("f32", shape, `${source.name}: tensor ${name}`)
      if (!name.startsWith("freq_cis"))
        placed.set(name, { name, shape, encoding: "f32", byteLength, source, offset })
      offset += byteLength
    }
    if (offset !== source.size)
      throw new InvalidFileError(
        `${source.name}: the header of a llama2.c model asks for ${offset} bytes, but the file has ${source.size}: ` +
          "it is cut off, or another kind of file",
      )
    return placedTensorFile("llama2c", placed, new Map(Object.entries(header)), [source])
  })

function* layout(header: Llama2cHeader): Generator<{ name: string; shape: number[] }> {
  const { dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len } = header
  const headSize = dim / n_heads
  const kvDim = headSize * n_kv_heads
  const perLayer: [string, number[]][] = [
    ["rms_att_weight", [dim]],
    ["wq", [dim, dim]],
    ["wk", [kvDim, dim]],
    ["wv", [kvDim, dim]],
    ["wo", [dim, dim]],
    ["rms_ffn_weight", [dim]],
    ["w1", [hidden_dim, dim]],
    ["w2", [dim, hidden_dim]],
    ["w3", [hidden_dim, dim]],
  ]
  yield { name: "token_embedding_table", shape: [vocab_size, dim] }
  for (const [name, shape] of perLayer)
    for (let layer = 0; layer < n_layers; layer++) yield { name: `layers.${layer}.${name}`, shape }
  yield { name: "rms_final_weight", shape: [dim] }
  yield { name: "freq_cis_real", shape: [seq_len, Math.floor(headSize / 2)] }
  yield { name: "freq_cis_imag", shape: [seq_len, Math.floor(headSize / 2)] }
  if (!header.shared_classifier) yield { name: "wcls", shape: [vocab_size, dim] }
}
