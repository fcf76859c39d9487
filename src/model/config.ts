// The numbers of a Llama 3.2 model, and how to read them from each kind of checkpoint.
import * as z from "zod"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"

/** Scaling of rotary frequencies as Llama 3.1 introduced it; see `rope.ts`. */
export interface RopeScaling {
  readonly factor: number
  readonly lowFrequencyFactor: number
  readonly highFrequencyFactor: number
  readonly originalContextLength: number
}

export interface ModelConfig {
  /** D: width of the residual stream. */
  readonly width: number
  readonly layers: number
  /** H */
  readonly queryHeads: number
  /** G: each serves H/G query heads. */
  readonly kvHeads: number
  /** E */
  readonly headWidth: number
  /** F */
  readonly feedForwardWidth: number
  /** V */
  readonly vocabularySize: number
  readonly normEpsilon: number
  /** Longest context that the model was made for, in tokens. */
  readonly contextLength: number
  /** The output layer is the embedding table. */
  readonly tiedEmbeddings: boolean
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling | undefined
  /** Token that every text starts with. */
  readonly bos: number | undefined
  /** Tokens that end an answer, as far as the checkpoint says. */
  readonly stopTokens: readonly number[]
}

const count = z
  .number()
  .int()
  .positive()
  .max(2 ** 31 - 1)
const tokens = z.union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())]).nullish()

/** Parses with a schema; what is wrong becomes one InvalidFileError that names the fields. */
function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const fields = result.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`)
  throw new InvalidFileError(`${what} does not describe a Llama model: ${fields.join("; ")}`)
}

function list(value: number | number[] | null | undefined): number[] {
  return value == null ? [] : Array.isArray(value) ? value : [value]
}

/** Refuses numbers that no model can have together, before anything is allocated by them. */
function checked(config: ModelConfig, what: string): ModelConfig {
  const { width, queryHeads, kvHeads, headWidth, feedForwardWidth, vocabularySize, layers } = config
  const wrong =
    queryHeads % kvHeads !== 0
      ? `${queryHeads} query heads cannot share ${kvHeads} key-value heads`
      : headWidth % 2 !== 0
        ? `head width ${headWidth} is odd, rotary embedding needs pairs`
        : layers > 1024 ||
            width > 65536 ||
            headWidth > 1024 ||
            feedForwardWidth > 1 << 20 ||
            vocabularySize > 1 << 22
          ? `${layers} layers of width ${width}, heads of ${headWidth}, feed-forward ${feedForwardWidth}, vocabulary ${vocabularySize} are beyond any Llama`
          : undefined
  if (wrong) throw new InvalidFileError(`${what}: ${wrong}`)
  return config
}

const ropeScaling = z
  .object({
    rope_type: z.string().optional(),
    type: z.string().optional(),
    rope_theta: z.number().positive().optional(),
    factor: z.number().positive().optional(),
    low_freq_factor: z.number().positive().optional(),
    high_freq_factor: z.number().positive().optional(),
    original_max_position_embeddings: z.number().positive().optional(),
  })
  .nullish()

const huggingFace = z.object({
  model_type: z.string(),
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  vocab_size: count,
  rms_norm_eps: z.number().positive().default(1e-6),
  max_position_embeddings: count.default(2048),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.string().default("silu"),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeScaling,
  rope_parameters: ropeScaling,
  bos_token_id: tokens,
  eos_token_id: tokens,
  quantization_config: z.unknown().optional(),
})

/** Reads `config.json` of transformers, and the stop tokens of `generation_config.json`. */
export function configFromHuggingFace(json: unknown, generationConfig?: unknown): ModelConfig {
  const raw = parse(huggingFace, json, "config.json")
  if (raw.model_type !== "llama") {
    throw new UnsupportedError(`config.json is of a "${raw.model_type}" model; Cria runs "llama" models`)
  }
  if (raw.attention_bias || raw.mlp_bias)
    throw new UnsupportedError("this model has biases; Llama 3.2 has none")
  if (raw.hidden_act !== "silu")
    throw new UnsupportedError(`activation "${raw.hidden_act}"; Llama 3.2 has "silu"`)
  if (raw.quantization_config) {
    throw new UnsupportedError(
      "this checkpoint is stored in a quantized form of transformers; use the original weights (--weights int4 quantizes them) or a GGUF file",
    )
  }
  const rope = raw.rope_parameters ?? raw.rope_scaling
  const generation = z.object({ eos_token_id: tokens, bos_token_id: tokens }).safeParse(generationConfig)
  const stops = [...list(raw.eos_token_id), ...(generation.success ? list(generation.data.eos_token_id) : [])]
  return checked(
    {
      width: raw.hidden_size,
      layers: raw.num_hidden_layers,
      queryHeads: raw.num_attention_heads,
      kvHeads: raw.num_key_value_heads ?? raw.num_attention_heads,
      headWidth: raw.head_dim ?? raw.hidden_size / raw.num_attention_heads,
      feedForwardWidth: raw.intermediate_size,
      vocabularySize: raw.vocab_size,
      normEpsilon: raw.rms_norm_eps,
      contextLength: raw.max_position_embeddings,
      tiedEmbeddings: raw.tie_word_embeddings,
      ropeTheta: raw.rope_parameters?.rope_theta ?? raw.rope_theta ?? 10000,
      ropeScaling: scalingOf(rope),
      bos: list(raw.bos_token_id)[0],
      stopTokens: [...new Set(stops)],
    },
    "config.json",
  )
}

function scalingOf(rope: z.infer<typeof ropeScaling>): RopeScaling | undefined {
  const type = rope?.rope_type ?? rope?.type ?? "default"
  if (!rope || type === "default") return undefined
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = rope
  if (type !== "llama3") throw new UnsupportedError(`rotary scaling "${type}"; Cria does "llama3" and none`)
  if (!factor || !low_freq_factor || !high_freq_factor || !original_max_position_embeddings) {
    throw new InvalidFileError(
      "config.json: rope scaling of type llama3 needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings",
    )
  }
  return {
    factor,
    lowFrequencyFactor: low_freq_factor,
    highFrequencyFactor: high_freq_factor,
    originalContextLength: original_max_position_embeddings,
  }
}

const meta = z.object({
  dim: count,
  n_layers: count,
  n_heads: count,
  n_kv_heads: count.nullish(),
  vocab_size: z.number().int(),
  norm_eps: z.number().positive(),
  rope_theta: z.number().positive().default(10000),
  use_scaled_rope: z.boolean().default(false),
  rope_scaling_factor: z.number().positive().optional(),
})

/**
 * Reads Meta's `params.json`. It names neither the feed-forward width nor the scaling factor: the width comes from
 * the shape of w1, the factor is 32 for the tied 1B and 3B models and 8 for the others, as Meta's code has it.
 */
export function configFromMeta(
  json: unknown,
  found: { feedForwardWidth: number; vocabularySize: number; tiedEmbeddings: boolean },
): ModelConfig {
  const raw = parse(meta, json, "params.json")
  const small = found.tiedEmbeddings || raw.dim <= 3072
  return checked(
    {
      width: raw.dim,
      layers: raw.n_layers,
      queryHeads: raw.n_heads,
      kvHeads: raw.n_kv_heads ?? raw.n_heads,
      headWidth: raw.dim / raw.n_heads,
      feedForwardWidth: found.feedForwardWidth,
      vocabularySize: found.vocabularySize,
      normEpsilon: raw.norm_eps,
      contextLength: raw.use_scaled_rope ? 131072 : 8192,
      tiedEmbeddings: found.tiedEmbeddings,
      ropeTheta: raw.rope_theta,
      ropeScaling: raw.use_scaled_rope
        ? {
            factor: raw.rope_scaling_factor ?? (small ? 32 : 8),
            lowFrequencyFactor: 1,
            highFrequencyFactor: 4,
            originalContextLength: 8192,
          }
        : undefined,
      bos: 128000,
      stopTokens: [128001, 128008, 128009],
    },
    "params.json",
  )
}

/** Reads the `llama.*` metadata of a GGUF file. Scaled frequencies arrive as divisors: see `rope.ts`. */
export function configFromGguf(
  metadata: ReadonlyMap<string, unknown>,
  found: { vocabularySize: number; tiedEmbeddings: boolean },
): ModelConfig {
  const architecture = metadata.get("general.architecture")
  if (architecture !== "llama") {
    throw new UnsupportedError(
      `this GGUF file holds a "${String(architecture)}" model; Cria runs "llama" models`,
    )
  }
  const number = (key: string, fallback?: number): number => {
    const value = metadata.get(key)
    const plain = typeof value === "bigint" ? Number(value) : value
    if (typeof plain === "number" && Number.isFinite(plain)) return plain
    if (fallback !== undefined && value === undefined) return fallback
    throw new InvalidFileError(`GGUF metadata: ${key} must be a number, got ${String(value)}`)
  }
  const scaling = metadata.get("llama.rope.scaling.type")
  if (scaling !== undefined && scaling !== "none") {
    throw new UnsupportedError(
      `rotary scaling "${typeof scaling === "string" ? scaling : typeof scaling}" in GGUF metadata; Cria does "llama3" and none`,
    )
  }
  const width = number("llama.embedding_length")
  const queryHeads = number("llama.attention.head_count")
  const stops = ["eos", "eot", "eom"]
    .map((name) => metadata.get(`tokenizer.ggml.${name}_token_id`))
    .filter((id): id is number | bigint => id !== undefined)
    .map(Number)
  const config = {
    width,
    layers: number("llama.block_count"),
    queryHeads,
    kvHeads: number("llama.attention.head_count_kv", queryHeads),
    headWidth: number("llama.attention.key_length", width / queryHeads),
    feedForwardWidth: number("llama.feed_forward_length"),
    vocabularySize: found.vocabularySize,
    normEpsilon: number("llama.attention.layer_norm_rms_epsilon"),
    contextLength: number("llama.context_length"),
    tiedEmbeddings: found.tiedEmbeddings,
    ropeTheta: number("llama.rope.freq_base", 10000),
    ropeScaling: undefined,
    bos: number("tokenizer.ggml.bos_token_id", -1),
    stopTokens: stops,
  }
  for (const [name, value] of Object.entries(config)) {
    if (
      typeof value === "number" &&
      !/Epsilon|Theta|bos/.test(name) &&
      !(Number.isInteger(value) && value > 0)
    ) {
      throw new InvalidFileError(`GGUF metadata: ${name} is ${value}, expected a positive whole number`)
    }
  }
  return checked({ ...config, bos: config.bos < 0 ? undefined : config.bos }, "GGUF metadata")
}

/** Takes the header of llama2.c's legacy format: interleaved rotary pairs, theta 10000, no scaling. */
export function configFromLlama2c(metadata: ReadonlyMap<string, unknown>): ModelConfig {
  const raw = parse(
    z.object({
      dim: count,
      hidden_dim: count,
      n_layers: count,
      n_heads: count,
      n_kv_heads: count,
      vocab_size: z.number().int(),
      seq_len: count,
    }),
    Object.fromEntries(metadata),
    "the llama2.c header",
  )
  return checked(
    {
      width: raw.dim,
      layers: raw.n_layers,
      queryHeads: raw.n_heads,
      kvHeads: raw.n_kv_heads,
      headWidth: raw.dim / raw.n_heads,
      feedForwardWidth: raw.hidden_dim,
      vocabularySize: Math.abs(raw.vocab_size),
      normEpsilon: 1e-5,
      contextLength: raw.seq_len,
      tiedEmbeddings: raw.vocab_size > 0,
      ropeTheta: 10000,
      ropeScaling: undefined,
      bos: 1,
      stopTokens: [1, 2],
    },
    "the llama2.c header",
  )
}
