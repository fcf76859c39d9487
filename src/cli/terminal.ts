// Where text goes: standard output and standard error, with colours only where a person reads them. Respects
// NO_COLOR and TERM=dumb through Node's own detection. Knows nothing of what is written.
import { styleText } from "node:util"
import { harmless } from "./format.js"

export type Style = "dim" | "bold" | "red" | "green" | "yellow" | "cyan" | "magenta"

export interface Screen {
  readonly stream: NodeJS.WritableStream
  readonly isTerminal: boolean
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number
  readonly hasColours: boolean
  /** Any text of ours, colours included. */
  write(text: string): void
  /** Text of a model or a file: on a terminal it cannot move the cursor, elsewhere it stays as it is. */
  writeForeign(text: string): void
  paint(style: Style | readonly Style[], text: string): string
  /** Resolves when everything has left this process. */
  flush(): Promise<void>
}

export function screenOn(stream: NodeJS.WriteStream): Screen {
  const isTerminal = stream.isTTY ?? false
  const hasColours = isTerminal && stream.hasColors()
  return {
    stream,
    isTerminal,
    hasColours,
    get columns() {
      return isTerminal && stream.columns > 0 ? stream.columns : 80
    },
    write: (text) => void stream.write(text),
    writeForeign: (text) => void stream.write(isTerminal ? harmless(text) : text),
    paint: (style, text) =>
      hasColours && text !== "" ? styleText(style as Style[], text, { validateStream: false }) : text,
    flush: () =>
      new Promise((resolve) => {
        if (stream.destroyed || stream.writableEnded) resolve()
        else stream.write("", () => resolve())
      }),
  }
}
