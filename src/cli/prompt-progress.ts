// How far the engine is with a long prompt, in the time in which no answer comes yet.
import type { Llama } from "../engine/llama.js"
import { startProgress } from "./progress.js"
import type { Screen } from "./terminal.js"

const pollTime = 250

/**
 * Tells `onRead` four times a second how many tokens of prompts the engine has read since this was called, until `end`.
 * What the engine still has from before is not read again.
 */
export function followPrompt(llama: Llama, onRead: (tokens: number) => void): { end(): void } {
  let before: number | undefined
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const poll = async () => {
    const { promptTokens } = await llama.stats()
    if (ended) return
    if (before === undefined) before = promptTokens
    else onRead(promptTokens - before)
    timer = setTimeout(again, pollTime).unref()
  }
  // A model that is gone says so to whoever waits for the answer.
  const again = () => void poll().catch(() => {})
  again()
  return {
    end() {
      ended = true
      clearTimeout(timer)
    },
  }
}

/** Shows that on a terminal, once it takes longer than a second. `texts` are what the prompt is made of. */
export function watchPrompt(llama: Llama, screen: Screen, texts: readonly string[]): { end(): void } {
  if (!screen.isTerminal) return { end: () => {} }
  const progress = startProgress(screen, { unit: "tokens", after: 1000 })
  let total: number | undefined
  const following = followPrompt(llama, (read) => {
    total ??= texts.reduce((sum, text) => sum + llama.tokenizer.encode(text).length, 0)
    progress.update("reading the prompt", Math.min(read, total), total)
  })
  return {
    end() {
      following.end()
      progress.end()
    },
  }
}
