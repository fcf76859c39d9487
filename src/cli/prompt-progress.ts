// A bar for the time in which a long prompt is read and no answer comes yet.
import type { Llama } from "../engine/llama.js"
import { startProgress } from "./progress.js"
import type { Screen } from "./terminal.js"

const pollTime = 250

/**
 * Shows how far the engine is with a prompt, once that takes longer than a second. `texts` are what the prompt is
 * made of; what the engine still has from before is not read again, so the bar may end early.
 */
export function watchPrompt(llama: Llama, screen: Screen, texts: readonly string[]): { end(): void } {
  if (!screen.isTerminal) return { end: () => {} }
  const progress = startProgress(screen, { unit: "tokens", after: 1000 })
  let total: number | undefined
  let before: number | undefined
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const poll = async () => {
    const { promptTokens } = await llama.stats()
    if (ended) return
    if (before === undefined) before = promptTokens
    else {
      total ??= texts.reduce((sum, text) => sum + llama.tokenizer.encode(text).length, 0)
      progress.update("reading the prompt", Math.min(promptTokens - before, total), total)
    }
    timer = setTimeout(again, pollTime).unref()
  }
  // A model that is gone says so to whoever waits for the answer.
  const again = () => void poll().catch(() => {})
  again()
  return {
    end() {
      ended = true
      clearTimeout(timer)
      progress.end()
    },
  }
}
