// A reader of Python pickles (protocol 2 to 5) that can build data only. Every global that a pickle names is
// asked of the caller, who refuses what it does not know: nothing is looked up, imported or run.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"

/** What a global stands for: a value, or a function that REDUCE may call with the arguments of the pickle. */
export interface PickleGlobal {
  readonly name: string
  readonly call?: (args: readonly unknown[]) => unknown
}

export interface PickleHost {
  /** Name for messages. */
  readonly what: string
  /** The global `module.name`; must throw for every name it does not know. */
  global(name: string): PickleGlobal
  /** The object behind a persistent id. */
  persistent(id: unknown): unknown
}

/** A state dict needs about 60 operations a tensor. */
const maxOperations = 2 ** 19
const utf8 = new TextDecoder()
const mark = Symbol("mark")

/**
 * The value of a pickle: None is null, tuples and lists are arrays, dicts are Maps, integers beyond 2^53 bigints.
 * InvalidFileError for damage, UnsupportedError for opcodes that plain data does not need.
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): unknown {
  return new Machine(bytes, host).run()
}

class Machine {
  #at = 0
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #host: PickleHost
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()

  constructor(bytes: Uint8Array, host: PickleHost) {
    this.#bytes = bytes
    this.#host = host
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  run(): unknown {
    for (let operations = 0; operations < maxOperations; operations++) {
      const code = this.#byte()
      if (code === 0x2e) return this.#pop() // STOP
      const operation = this.#operations.get(code)
      if (operation === undefined)
        throw new UnsupportedError(
          `${this.#host.what} uses the pickle opcode 0x${code.toString(16)}, which a checkpoint of plain tensors ` +
            "does not need: save its state dict alone with torch.save, or use its safetensors version",
        )
      operation()
    }
    throw new InvalidFileError(`${this.#host.what} has more than ${maxOperations} pickle operations`)
  }

  readonly #operations: ReadonlyMap<number, () => void> = new Map<number, () => void>([
    [0x80, () => this.#protocol()], // PROTO
    [0x95, () => void this.#take(8)], // FRAME: a hint for buffering
    [0x28, () => void this.#stack.push(mark)], // MARK
    [0x4e, () => void this.#stack.push(null)], // NONE
    [0x88, () => void this.#stack.push(true)], // NEWTRUE
    [0x89, () => void this.#stack.push(false)], // NEWFALSE
    [0x4a, () => void this.#stack.push(this.#view.getInt32(this.#take(4), true))], // BININT
    [0x4b, () => void this.#stack.push(this.#byte())], // BININT1
    [0x4d, () => void this.#stack.push(this.#view.getUint16(this.#take(2), true))], // BININT2
    [0x8a, () => void this.#stack.push(this.#long())], // LONG1
    [0x47, () => void this.#stack.push(this.#view.getFloat64(this.#take(8), false))], // BINFLOAT
    [0x58, () => void this.#stack.push(this.#text(this.#u32()))], // BINUNICODE
    [0x8c, () => void this.#stack.push(this.#text(this.#byte()))], // SHORT_BINUNICODE
    [0x29, () => void this.#stack.push([])], // EMPTY_TUPLE
    [0x85, () => this.#tuple(1)],
    [0x86, () => this.#tuple(2)],
    [0x87, () => this.#tuple(3)],
    [0x74, () => void this.#stack.push(this.#popToMark())], // TUPLE
    [0x5d, () => void this.#stack.push([])], // EMPTY_LIST
    [0x61, () => this.#append([this.#pop()])], // APPEND
    [0x65, () => this.#append(this.#popToMark())], // APPENDS
    [0x7d, () => void this.#stack.push(new Map())], // EMPTY_DICT
    [0x73, () => this.#setItems([this.#pop(), this.#pop()].toReversed())], // SETITEM
    [0x75, () => this.#setItems(this.#popToMark())], // SETITEMS
    [0x68, () => this.#recall(this.#byte())], // BINGET
    [0x6a, () => this.#recall(this.#u32())], // LONG_BINGET
    [0x71, () => void this.#memo.set(this.#byte(), this.#top())], // BINPUT
    [0x72, () => void this.#memo.set(this.#u32(), this.#top())], // LONG_BINPUT
    [0x94, () => void this.#memo.set(this.#memo.size, this.#top())], // MEMOIZE
    [0x63, () => this.#global(`${this.#line()}.${this.#line()}`)], // GLOBAL
    [0x93, () => this.#stackGlobal()], // STACK_GLOBAL
    [0x52, () => this.#reduce()], // REDUCE
    [0x62, () => this.#build()], // BUILD
    [0x51, () => void this.#stack.push(this.#host.persistent(this.#pop()))], // BINPERSID
  ])

  /** Steps over `length` bytes; returns where they start. */
  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw this.#damaged("it ends in the middle of a value")
    this.#at = start + length
    return start
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  #text(length: number): string {
    const start = this.#take(length)
    return utf8.decode(this.#bytes.subarray(start, start + length))
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at)
    if (end < 0) throw this.#damaged("a name does not end")
    const text = this.#text(end - this.#at)
    this.#at = end + 1
    return text
  }

  #long(): number | bigint {
    const length = this.#byte()
    if (length > 8) throw this.#damaged(`an integer has ${length} bytes`)
    const start = this.#take(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[start + i])
    value = BigInt.asIntN(length * 8, value)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  #protocol(): void {
    const protocol = this.#byte()
    if (protocol < 2 || protocol > 5) throw this.#damaged(`its protocol is ${protocol}, expected 2 to 5`)
  }

  #pop(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === mark) throw this.#damaged("its stack is empty")
    return this.#stack.pop()
  }

  #top(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === mark) throw this.#damaged("its stack is empty")
    return this.#stack.at(-1)
  }

  #popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(mark)
    if (at < 0) throw this.#damaged("a mark is missing")
    const items = this.#stack.splice(at)
    items.shift()
    return items
  }

  #tuple(length: number): void {
    const items = Array.from({ length }, () => this.#pop())
    this.#stack.push(items.toReversed())
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top()
    if (!Array.isArray(list)) throw this.#damaged("it appends to what is not a list")
    for (const item of items) list.push(item)
  }

  #setItems(items: readonly unknown[]): void {
    const dict = this.#top()
    if (!(dict instanceof Map) || items.length % 2 !== 0)
      throw this.#damaged("it sets items of what is not a dict")
    for (let i = 0; i < items.length; i += 2) {
      if (dict.has(items[i])) throw this.#damaged(`a dict has the key ${describe(items[i])} twice`)
      dict.set(items[i], items[i + 1])
    }
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw this.#damaged("it recalls what it never stored")
    this.#stack.push(this.#memo.get(index))
  }

  #global(name: string): void {
    this.#stack.push(this.#host.global(name))
  }

  #stackGlobal(): void {
    const [name, module] = [this.#pop(), this.#pop()]
    if (typeof name !== "string" || typeof module !== "string")
      throw this.#damaged("a global's name is not text")
    this.#global(`${module}.${name}`)
  }

  #reduce(): void {
    const [args, global] = [this.#pop(), this.#pop()] as [unknown, PickleGlobal | null]
    if (typeof global?.call !== "function" || !Array.isArray(args))
      throw this.#damaged("it calls what is no function")
    this.#stack.push(global.call(args))
  }

  // State is only ever attached to an OrderedDict (PyTorch's `_metadata`, versions of modules): not needed here.
  #build(): void {
    this.#pop()
    if (!(this.#top() instanceof Map)) throw this.#damaged("it gives state to what is not a dict")
  }

  #damaged(reason: string): InvalidFileError {
    return new InvalidFileError(`${this.#host.what} is damaged at byte ${this.#at}: ${reason}`)
  }
}

const describe = (key: unknown) => (typeof key === "string" ? key.slice(0, 200) : typeof key)
