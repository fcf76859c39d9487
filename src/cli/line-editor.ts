// Asks for a message at a terminal: line editing and history of readline, several lines, pasted blocks.
import { createInterface, type Interface } from "node:readline"
import { InputBuffer } from "./input-buffer.js"

export type Reply =
  | { readonly kind: "text"; readonly text: string }
  /** Ctrl-D, or the terminal is gone. */
  | { readonly kind: "end" }
  /** Ctrl-C on an empty line. */
  | { readonly kind: "interrupt" }

export interface AskOptions {
  readonly prompt: string
  /** Before every further line of a message. */
  readonly continuation: string
  /** Newest first. */
  readonly history: readonly string[]
  readonly signal: AbortSignal
}

const pasteOn = "\u001b[?2004h"
/** Ends the bracketed paste mode of the terminal. */
export const pasteOff = "\u001b[?2004l"

/** Reads one message. The terminal is left as it was found. */
export function ask(
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
  { prompt, continuation, history, signal }: AskOptions,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const buffer = new InputBuffer()
    let pasting = false
    const editor: Interface = createInterface({
      input,
      output,
      terminal: true,
      history: [...history],
      historySize: history.length + 100,
      prompt,
      escapeCodeTimeout: 50,
    })
    let settled = false
    const settle = (finish: () => void) => {
      if (settled) return
      settled = true
      signal.removeEventListener("abort", onAbort)
      input.off("keypress", onKey)
      output.write(pasteOff)
      editor.close()
      finish()
    }
    const onAbort = () => settle(() => reject(signal.reason))
    const onKey = (_: string | undefined, key: { name?: string } | undefined) => {
      if (key?.name === "paste-start") pasting = true
      if (key?.name === "paste-end") pasting = false
    }
    signal.addEventListener("abort", onAbort, { once: true })
    input.on("keypress", onKey)
    // readline would keep every line of a message by itself; the caller keeps whole messages.
    editor.on("history", (lines) => void lines.shift())
    editor.on("line", (line) => {
      const text = buffer.add(line, pasting)
      if (text !== undefined) return settle(() => resolve({ kind: "text", text }))
      editor.setPrompt(continuation)
      editor.prompt()
    })
    editor.on("SIGINT", () => {
      if (editor.line === "" && !buffer.pending) {
        output.write("\n")
        return settle(() => resolve({ kind: "interrupt" }))
      }
      output.write("^C\n")
      buffer.clear()
      editor.setPrompt(prompt)
      editor.write(null, { ctrl: true, name: "e" })
      editor.write(null, { ctrl: true, name: "u" })
      editor.prompt()
    })
    editor.on("close", () => {
      if (!settled) output.write("\n")
      settle(() => resolve({ kind: "end" }))
    })
    output.write(pasteOn)
    editor.prompt()
  })
}

/**
 * While an answer runs: keys are not echoed, and Ctrl-C reaches `onInterrupt` (a terminal in raw mode sends no
 * signal). Returns how to end it.
 */
export function watchKeys(input: NodeJS.ReadStream, onInterrupt: () => void): () => void {
  const onData = (data: Buffer | string) => {
    for (const key of data.toString()) if (key === "\u0003") onInterrupt()
  }
  input.setRawMode(true)
  input.on("data", onData).resume()
  return () => {
    input.off("data", onData).pause()
    input.setRawMode(false)
  }
}
