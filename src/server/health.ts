// What watches the server asks: does it live, does it take requests, how busy is it.
import { shuttingDown } from "./gate.js"
import { json, type Reply } from "./reply.js"
import type { ServerContext } from "./work.js"

export const health = (): Reply => json({ status: "ok" })

export function ready({ gate }: ServerContext): Reply {
  if (gate.closed) throw shuttingDown()
  return json({ status: "ready" })
}

/** Gauges that are read from the engines at the time of asking. */
const engineFamilies = {
  cria_batch_size: "Sequences that an engine runs together",
  cria_engine_waiting: "Sequences that wait for room in an engine's cache",
  cria_cache_pages: "Pages of the key-value cache",
  cria_memory_bytes: "Bytes that an engine holds: weights, cache, working memory",
  cria_tokens_per_second: "Tokens generated a second over the last seconds of work",
  cria_prompt_tokens_total: "Prompt tokens computed since the model was loaded",
  cria_generated_tokens_total: "Tokens generated since the model was loaded",
  cria_lookup_tokens_total: "Tokens guessed from earlier ones, and those of them that came true",
  cria_steps_total: "Forward passes since the model was loaded",
} as const

export async function metricsText({ models, gate, metrics }: ServerContext): Promise<Reply> {
  metrics.set("cria_requests_running", "Answers that are being written", gate.running)
  metrics.set("cria_requests_waiting", "Requests in line", gate.waiting)
  for (const family of Object.keys(engineFamilies)) metrics.clear(family)
  const help = engineFamilies
  for (const { name: model, llama, base } of models.offers()) {
    if (base !== undefined) continue // its engine is that of the model
    metrics.set("cria_model_loaded", "Whether a model is in memory", llama ? 1 : 0, { model })
    if (!llama) continue
    let stats
    try {
      stats = await llama.stats()
    } catch {
      continue // it was put away, or its engine ended, while we asked
    }
    const { pages } = stats
    metrics.set("cria_batch_size", help.cria_batch_size, stats.running, { model })
    metrics.set("cria_engine_waiting", help.cria_engine_waiting, stats.waiting, { model })
    const states = { used: pages.total - pages.free, cached: pages.cached, free: pages.free - pages.cached }
    for (const [state, count] of Object.entries(states))
      metrics.set("cria_cache_pages", help.cria_cache_pages, count, { model, state })
    metrics.set("cria_memory_bytes", help.cria_memory_bytes, stats.memoryBytes, { model })
    metrics.set("cria_tokens_per_second", help.cria_tokens_per_second, stats.tokensPerSecond, { model })
    metrics.setCounter("cria_prompt_tokens_total", help.cria_prompt_tokens_total, stats.promptTokens, {
      model,
    })
    const generated = stats.generatedTokens
    metrics.setCounter("cria_generated_tokens_total", help.cria_generated_tokens_total, generated, { model })
    for (const [kind, count] of [
      ["guessed", stats.guessedTokens],
      ["accepted", stats.acceptedTokens],
    ] as const)
      metrics.setCounter("cria_lookup_tokens_total", help.cria_lookup_tokens_total, count, { model, kind })
    metrics.setCounter("cria_steps_total", help.cria_steps_total, stats.steps, { model })
  }
  return {
    status: 200,
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    body: metrics.text(),
  }
}
