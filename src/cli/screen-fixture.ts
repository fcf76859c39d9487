// A screen and a keyboard for tests.
import { PassThrough } from "node:stream"
import type { Screen } from "./terminal.js"

export class FakeScreen implements Screen {
  readonly written: string[] = []
  readonly hasColours = false
  readonly stream: NodeJS.WritableStream

  constructor(
    readonly isTerminal = true,
    readonly columns = 80,
  ) {
    const stream = Object.assign(new PassThrough(), { columns })
    stream.on("data", (data: Buffer) => this.written.push(data.toString()))
    this.stream = stream
  }

  get text(): string {
    return this.written.join("")
  }

  write(text: string): void {
    this.written.push(text)
  }

  writeForeign(text: string): void {
    this.written.push(text)
  }

  paint(_: unknown, text: string): string {
    return text
  }

  async flush(): Promise<void> {}
}

/** Standard input of a terminal; `isRaw` tells whether it was left in raw mode. */
export class FakeKeyboard extends PassThrough {
  readonly isTTY = true
  isRaw = false

  setRawMode(raw: boolean): this {
    this.isRaw = raw
    return this
  }

  asStdin(): NodeJS.ReadStream {
    return this as unknown as NodeJS.ReadStream
  }
}
