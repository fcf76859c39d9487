// Which weights of a model may have adapters, and what the format of PEFT calls them.
import type { ModelConfig } from "../model/config.js"
import type { Block } from "../model/llama.js"
import { blockName } from "../model/names.js"
import type { Shape } from "../tensor/tensor.js"
import type { Weight } from "../ops/ops.js"

export const adapterTargets = ["query", "key", "value", "attentionOutput", "gate", "up", "down"] as const
export type AdapterTarget = (typeof adapterTargets)[number]

/** `q_proj` for `query`, as in PEFT's target_modules. */
export const moduleName = (target: AdapterTarget): string =>
  blockName("huggingface", target, 0)
    .replace(/\.weight$/, "")
    .split(".")
    .at(-1)!

/** Name of a factor in adapter_model.safetensors. */
export const factorName = (target: AdapterTarget, layer: number, factor: "A" | "B"): string =>
  `base_model.model.${blockName("huggingface", target, layer).replace(/\.weight$/, "")}.lora_${factor}.weight`

/** [N, K] of a weight. */
export function targetShape(target: AdapterTarget, config: ModelConfig): Shape {
  const { width: D, feedForwardWidth: F, headWidth: E } = config
  const [X, Y] = [config.queryHeads * E, config.kvHeads * E]
  return {
    query: [X, D],
    key: [Y, D],
    value: [Y, D],
    attentionOutput: [D, X],
    gate: [F, D],
    up: [F, D],
    down: [D, F],
  }[target]
}

export function targetWeight(block: Block, target: AdapterTarget): Weight {
  const { attention, feedForward } = block
  return {
    query: attention.query,
    key: attention.key,
    value: attention.value,
    attentionOutput: attention.output,
    gate: feedForward.gate,
    up: feedForward.up,
    down: feedForward.down,
  }[target]
}
