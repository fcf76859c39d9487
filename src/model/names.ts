// The one table of foreign names: what each format calls the tensors of a Llama model, and which of their rows
// stand in another order.

export type NamedFormat = "huggingface" | "gguf" | "meta" | "llama2c"

/** Our names. Those of a block are repeated for every layer. */
export const blockTensors = [
  "attentionNorm",
  "query",
  "key",
  "value",
  "attentionOutput",
  "feedForwardNorm",
  "gate",
  "up",
  "down",
] as const
export type BlockTensor = (typeof blockTensors)[number]
export type TopTensor = "embedding" | "norm" | "output"

interface Names {
  readonly top: Record<TopTensor, string>
  readonly block: Record<BlockTensor, string>
  /** `#` stands for the layer. */
  readonly prefix: string
  /**
   * Rotary pairs are neighbours (2i, 2i+1) within a head, as Meta trained them, so the query and key rows stand
   * interleaved; Cria and Hugging Face pair i with i + E/2.
   */
  readonly interleaved: boolean
}

const names: Record<NamedFormat, Names> = {
  huggingface: {
    prefix: "model.layers.#.",
    top: { embedding: "model.embed_tokens.weight", norm: "model.norm.weight", output: "lm_head.weight" },
    block: {
      attentionNorm: "input_layernorm.weight",
      query: "self_attn.q_proj.weight",
      key: "self_attn.k_proj.weight",
      value: "self_attn.v_proj.weight",
      attentionOutput: "self_attn.o_proj.weight",
      feedForwardNorm: "post_attention_layernorm.weight",
      gate: "mlp.gate_proj.weight",
      up: "mlp.up_proj.weight",
      down: "mlp.down_proj.weight",
    },
    interleaved: false,
  },
  gguf: {
    prefix: "blk.#.",
    top: { embedding: "token_embd.weight", norm: "output_norm.weight", output: "output.weight" },
    block: {
      attentionNorm: "attn_norm.weight",
      query: "attn_q.weight",
      key: "attn_k.weight",
      value: "attn_v.weight",
      attentionOutput: "attn_output.weight",
      feedForwardNorm: "ffn_norm.weight",
      gate: "ffn_gate.weight",
      up: "ffn_up.weight",
      down: "ffn_down.weight",
    },
    interleaved: true,
  },
  meta: {
    prefix: "layers.#.",
    top: { embedding: "tok_embeddings.weight", norm: "norm.weight", output: "output.weight" },
    block: {
      attentionNorm: "attention_norm.weight",
      query: "attention.wq.weight",
      key: "attention.wk.weight",
      value: "attention.wv.weight",
      attentionOutput: "attention.wo.weight",
      feedForwardNorm: "ffn_norm.weight",
      gate: "feed_forward.w1.weight",
      up: "feed_forward.w3.weight",
      down: "feed_forward.w2.weight",
    },
    interleaved: true,
  },
  llama2c: {
    prefix: "layers.#.",
    top: { embedding: "token_embedding_table", norm: "rms_final_weight", output: "wcls" },
    block: {
      attentionNorm: "rms_att_weight",
      query: "wq",
      key: "wk",
      value: "wv",
      attentionOutput: "wo",
      feedForwardNorm: "rms_ffn_weight",
      gate: "w1",
      up: "w3",
      down: "w2",
    },
    interleaved: true,
  },
}

/** What the format calls a tensor outside the blocks. */
export const topName = (format: NamedFormat, tensor: TopTensor): string => names[format].top[tensor]

/** What the format calls a tensor of a block. */
export const blockName = (format: NamedFormat, tensor: BlockTensor, layer: number): string =>
  names[format].prefix.replace("#", String(layer)) + names[format].block[tensor]

export const hasInterleavedHeads = (format: NamedFormat): boolean => names[format].interleaved

/**
 * Source row within a head of each row, when heads of E interleaved rows become split halves:
 * row i comes from 2i, row i + E/2 from 2i + 1.
 */
export function splitHalves(headWidth: number): Int32Array {
  return Int32Array.from({ length: headWidth }, (_, row) =>
    row < headWidth / 2 ? 2 * row : 2 * (row - headWidth / 2) + 1,
  )
}

/** The way back: row 2i comes from i, row 2i + 1 from i + E/2. */
export function interleave(headWidth: number): Int32Array {
  return Int32Array.from({ length: headWidth }, (_, row) => (row >> 1) + (row % 2 === 0 ? 0 : headWidth / 2))
}
