// The wasm backend: operations become commands in shared memory, and `read` runs them on all threads.
import { InvalidOptionError } from "../../errors/errors.js"
import { canBlock, coreCount } from "../../platform/platform.js"
import type { Backend, BackendOptions } from "../backend.js"
import type { WasmInternals } from "./machine.js"
import { loadProgram } from "./features.js"
import { WasmGradients } from "./gradients.js"

export type { WasmInternals } from "./machine.js"

const maxThreads = 64
/** More threads than this only wait for memory. */
const maxDefaultThreads = 16

export class WasmBackend extends WasmGradients implements Backend {
  readonly name = "wasm"

  /** Compiles the kernels and starts the threads. Throws InvalidOptionError, EngineCrashedError. */
  static async create(options: BackendOptions = {}, internals: WasmInternals = {}): Promise<WasmBackend> {
    const { threads } = options
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= maxThreads)) {
      throw new InvalidOptionError(`threads is ${threads}: expected a whole number from 1 to ${maxThreads}`)
    }
    const program = await loadProgram(internals)
    const several = program.shared && canBlock()
    const wanted = threads ?? Math.min(coreCount(), maxDefaultThreads)
    const backend = new WasmBackend(program, several ? wanted : 1, internals)
    try {
      await backend.ready()
    } catch (error) {
      await backend.dispose()
      throw error
    }
    return backend
  }
}
