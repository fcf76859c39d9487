// What differs between Node and browsers below everything else: workers, files beside the code, cores. Written
// without imports of `node:` modules, so that bundlers for browsers take it as it is.

import type { Transferable as NodeTransferable, Worker as NodeWorker } from "node:worker_threads"

/** The threads' and streams' modules of Node, or undefined elsewhere. */
function builtin<
  Name extends
    | "node:worker_threads"
    | "node:fs"
    | "node:fs/promises"
    | "node:os"
    | "node:v8"
    | "node:inspector"
    | "node:module",
>(name: Name): ReturnType<typeof process.getBuiltinModule<Name>> | undefined {
  return isNode ? process.getBuiltinModule(name) : undefined
}

const isNode: boolean =
  typeof process === "object" && typeof process.getBuiltinModule === "function" && !!process.versions?.node

/** A worker as the thread that started it sees it. */
export interface WorkerHandle {
  post(message: unknown, transfer?: readonly Transferable[]): void
  /** The receivers replace those set before. */
  onMessage(receive: (message: unknown) => void): void
  /** An exception that nobody caught in the worker, or a script that did not load. */
  onError(receive: (error: Error) => void): void
  /** The worker has ended; browsers do not tell, there it comes from `terminate` alone. */
  onExit(receive: (code: number) => void): void
  terminate(): Promise<void>
  /** Whether the worker keeps the process alive (Node only). */
  ref(): void
  unref(): void
}

/** A worker's own side. */
export interface WorkerPort {
  post(message: unknown, transfer?: readonly Transferable[]): void
  onMessage(receive: (message: unknown) => void): void
}

export interface WorkerOptions {
  readonly name: string
  /** The module to run, for Node: a URL beside the caller, from import.meta.url. Not asked for elsewhere. */
  readonly url: () => URL
  /**
   * For browsers (absent where only Node runs it), written out at the place of the call so that bundlers find the module:
   * a `new Worker` of a `new URL(file, import.meta.url)` with type "module".
   */
  readonly web?: () => Worker
}

/** Starts a module worker. Errors of its script arrive at `onError`. */
export function spawnWorker(options: WorkerOptions): WorkerHandle {
  const threads = builtin("node:worker_threads")
  if (threads) return nodeWorker(threads, options)
  if (!options.web) throw new Error(`the worker ${options.name} runs in Node only`)
  return webWorker(options.web())
}

/** The message of the error of a worker in a browser whose script could not be had. */
export const scriptNotLoaded = "the worker's script did not load"

function nodeWorker({ Worker }: { Worker: typeof NodeWorker }, { name, url }: WorkerOptions): WorkerHandle {
  // Flags of the parent such as --input-type are wrong for a file; V8's flags hold for the whole process anyway.
  // A worker's young generation grows to 48 MB by default and stays there; ours make little garbage.
  const worker = new Worker(url(), { name, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } })
  let message: (message: unknown) => void = () => {}
  let error: (error: Error) => void = () => {}
  let exit: (code: number) => void = () => {}
  worker.on("message", (value: unknown) => message(value))
  worker.on("error", (value: unknown) => error(value instanceof Error ? value : new Error(String(value))))
  worker.on("exit", (code) => exit(code))
  return {
    post: (value, transfer) => worker.postMessage(value, transfer as NodeTransferable[]),
    onMessage: (receive) => void (message = receive),
    onError: (receive) => void (error = receive),
    onExit: (receive) => void (exit = receive),
    terminate: async () => void (await worker.terminate()),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  }
}

function webWorker(worker: Worker): WorkerHandle {
  let message: (message: unknown) => void = () => {}
  let error: (error: Error) => void = () => {}
  let exit: (code: number) => void = () => {}
  worker.addEventListener("message", (event: MessageEvent<unknown>) => message(event.data))
  worker.addEventListener("error", (event) => {
    error(new Error(event.message || scriptNotLoaded))
  })
  return {
    post: (value, transfer) => worker.postMessage(value, [...(transfer ?? [])]),
    onMessage: (receive) => void (message = receive),
    onError: (receive) => void (error = receive),
    onExit: (receive) => void (exit = receive),
    terminate: () => {
      worker.terminate()
      exit(0)
      return Promise.resolve()
    },
    ref: () => {},
    unref: () => {},
  }
}

/** The way back from inside a worker. Throws outside one. */
export function workerPort(): WorkerPort {
  const threads = builtin("node:worker_threads")
  if (threads) {
    const port = threads.parentPort
    if (!port) throw new Error("this module runs in a worker only")
    return {
      post: (value, transfer) => port.postMessage(value, transfer as NodeTransferable[]),
      onMessage: (receive) => void port.on("message", receive),
    }
  }
  const scope = globalThis as unknown as {
    postMessage(value: unknown, transfer: Transferable[]): void
    addEventListener(type: "message", receive: (event: MessageEvent<unknown>) => void): void
  }
  return {
    post: (value, transfer) => scope.postMessage(value, [...(transfer ?? [])]),
    onMessage: (receive) => scope.addEventListener("message", (event) => receive(event.data)),
  }
}

/** Cores that this process may use. */
export function coreCount(): number {
  return builtin("node:os")?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1
}

/** Whether threads can share memory: always in Node, in pages that are cross-origin isolated. */
export const canShareMemory: boolean =
  typeof SharedArrayBuffer === "function" &&
  (isNode || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true)

/** Whether this thread may sleep on shared memory: not the main thread of a page. */
export function canBlock(): boolean {
  if (!canShareMemory) return false
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0)
    return true
  } catch {
    return false
  }
}

/** The bytes of a file that is shipped beside the code. */
export async function loadBytes(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const files = builtin("node:fs/promises")
  if (files && url.protocol === "file:") return new Uint8Array(await files.readFile(url))
  const response = await fetch(url)
  if (!response.ok) throw new Error(`cannot load ${url.href}: HTTP ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/**
 * Runs `work` with flags of V8 set, and takes them back; in browsers nothing is set. Name only flags that the
 * running version knows, others are complained about on standard error. Each flag is given as `on` and the `off`
 * that undoes it.
 */
export function withEngineFlags<T>(flags: readonly { on: string; off: string }[], work: () => T): T {
  const v8 = builtin("node:v8")
  for (const { on } of flags) v8?.setFlagsFromString(on)
  try {
    return work()
  } finally {
    for (const { off } of flags) v8?.setFlagsFromString(off)
  }
}

/**
 * Collects all garbage of this thread, in Node: some ten milliseconds. For a thread that has left much of it and will be at
 * rest or make little from then on, so that nothing else would collect it.
 */
export async function collectGarbage(): Promise<void> {
  const inspector = builtin("node:inspector")
  if (!inspector) return // also where Node was built without
  const session = new inspector.Session()
  session.connect()
  await new Promise<void>((resolve) => session.post("HeapProfiler.collectGarbage", () => resolve()))
  session.disconnect()
}

/** Node's major version, or undefined elsewhere. */
export function nodeMajor(): number | undefined {
  return isNode ? Number.parseInt(process.versions.node, 10) : undefined
}

/** The system and processor as prebuilt packages name them: `linux-x64`. Undefined outside of Node. */
export function nodePlatform(): string | undefined {
  return isNode ? `${process.platform}-${process.arch}` : undefined
}

/**
 * Loads an addon of Node: a file, or the main file of a package as seen from the module `from`. Throws what `require` throws.
 */
export function loadAddonFile(place: URL | string, from: string): unknown {
  const modules = builtin("node:module")
  if (!modules) throw new Error("addons are for Node only")
  return modules.createRequire(from)(place instanceof URL ? decodeURIComponent(place.pathname) : place)
}

/** The text of a small file that is shipped beside the code, or undefined where there is none. */
export function fileText(url: URL): string | undefined {
  try {
    return builtin("node:fs")?.readFileSync(url, "utf8")
  } catch {
    return undefined
  }
}

/** Bytes of memory that this process may hope for: the machine's, or its container's where that is less. */
export function memoryLimit(): number {
  const total = builtin("node:os")?.totalmem() ?? 4 * 2 ** 30
  const constrained = isNode ? (process.constrainedMemory?.() ?? 0) : 0
  return constrained > 0 ? Math.min(total, constrained) : total
}
