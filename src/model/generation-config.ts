// What the makers of a model recommend for sampling, in the words of transformers' generation_config.json. GGUF has the
// same as general.sampling.*, which formats/ brings into these words.
import * as z from "zod"

export interface SamplingDefaults {
  readonly temperature?: number
  readonly topP?: number
}

const known = z
  .object({
    temperature: z.number().min(0).max(100).optional().catch(undefined),
    top_p: z.number().gt(0).max(1).optional().catch(undefined),
  })
  .catch({})

/** The recommendations of a parsed generation_config.json; what is missing or no usable number is left out. */
export function samplingOf(generationConfig: unknown): SamplingDefaults {
  const { temperature, top_p } = known.parse(generationConfig ?? {})
  return { temperature, topP: top_p }
}

/** generation_config.json: special tokens and recommendations, over which `kept` goes, the config that a model came with. */
export function generationConfigOf(
  { bos, stopTokens }: { readonly bos: number | undefined; readonly stopTokens: readonly number[] },
  kept: unknown,
  { temperature, topP }: SamplingDefaults = {},
): object {
  return {
    bos_token_id: bos ?? null,
    eos_token_id: [...stopTokens],
    ...(kept as object | undefined),
    // transformers heeds the numbers only where it is told to sample.
    ...(temperature !== undefined && { do_sample: temperature > 0, temperature }),
    ...(topP !== undefined && { top_p: topP }),
  }
}
