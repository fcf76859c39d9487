// Documents for pretraining from the lines of a text file. Long ones come in parts, so memory is bounded.
import { InvalidFileError } from "../errors/index.js"
import type { TextExample } from "./example.js"
import { type LineOptions, readLines } from "./lines.js"

export interface TextFormat {
  /** What stands between documents: a line with this text alone. `undefined`: every line is a document. */
  readonly separator: string | undefined
}

/** Longest part of a document, in bytes, within one line. */
export const mostPartBytes = 2 ** 20

/** Documents of a text file; those without anything but white space are left out. */
export async function* readTextFile(
  path: string,
  { separator }: TextFormat,
  options: Omit<LineOptions, "mostBytes">,
): AsyncGenerator<TextExample> {
  let document = 0
  let continues = false
  let text = ""
  let line = 1
  /** The document so far as an example, or nothing where it is empty. */
  const take = (ends: boolean): TextExample | undefined => {
    const whole = ends ? text.replace(/\n$/, "") : text
    const example = { text: whole, document, continues, place: { file: path, line } }
    const isEmpty = whole.trim() === "" && !continues
    text = ""
    if (ends) {
      if (!isEmpty) document++
      continues = false
    } else continues ||= !isEmpty
    return whole.trim() === "" ? undefined : example
  }
  const decoder = new LineDecoder(path)
  for await (const { bytes, number, ends } of readLines(path, { ...options, mostBytes: mostPartBytes })) {
    const part = decoder.decode(bytes, number, ends)
    const isSeparator = separator !== undefined && ends && part === separator
    if (text === "") line = isSeparator ? number + 1 : number
    if (!isSeparator) text += ends && separator !== undefined ? `${part}\n` : part
    const isEnd = isSeparator || (separator === undefined && ends)
    if (!isEnd && text.length < mostPartBytes) continue
    const example = take(isEnd)
    if (example) yield example
  }
  const example = take(true)
  if (example) yield example
}

/** Bytes of lines, or of their parts, to text. */
class LineDecoder {
  readonly #path: string
  #utf8 = new TextDecoder("utf-8", { fatal: true })

  constructor(path: string) {
    this.#path = path
  }

  decode(bytes: Uint8Array, number: number, ends: boolean): string {
    try {
      return this.#utf8.decode(bytes, { stream: !ends })
    } catch (error) {
      throw new InvalidFileError(
        `${this.#path}:${number}: this is not UTF-8 text; convert the file first (iconv -t UTF-8)`,
        { cause: error },
      )
    }
  }
}
