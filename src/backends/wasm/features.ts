// Which of the kernel programs this engine can run, and its compilation.
import { canShareMemory, loadBytes, nodeMajor, withEngineFlags } from "../../platform/platform.js"

export interface Program {
  readonly module: WebAssembly.Module
  readonly shared: boolean
  /** 256-bit operations are made of pairs of 128-bit ones. */
  readonly wide: boolean
  /** For people: `relaxed SIMD, revectorized`. */
  readonly features: string
}

// (module (func (result v128) v128.const 0 v128.const 0 i16x8.relaxed_dot_i8x16_i7x16_s)), and the same with i32x4.add
const probe = (...instruction: number[]): Uint8Array<ArrayBuffer> => {
  const zero = [0xfd, 0x0c, ...Array.from({ length: 16 }, () => 0)]
  const body = [0, ...zero, ...zero, ...instruction, 0x0b]
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0]
  return new Uint8Array([...head, 10, body.length + 2, 1, body.length, ...body])
}
const simd = probe(0xfd, 0xae, 0x01)
const relaxedSimd = probe(0xfd, 0x92, 0x02)

interface EngineFlag {
  readonly on: string
  readonly off: string
}

/** The optimizing compiler at once: kernels are hot from their first call. */
const optimizeAtOnce = [
  { on: "--no-liftoff", off: "--liftoff" },
  { on: "--no-wasm-lazy-compilation", off: "--wasm-lazy-compilation" },
]
const revectorize = [
  { on: "--experimental-wasm-revectorize", off: "--no-experimental-wasm-revectorize" },
  // Inlining wants call counts from the baseline compiler; Node 26 aborts without them.
  { on: "--no-wasm-inlining", off: "--wasm-inlining" },
]

/** Flags of V8 by Node's major version; versions that were not tried get none. */
const flagsOfNode: Record<number, readonly EngineFlag[]> = {
  20: [
    ...optimizeAtOnce,
    { on: "--experimental-wasm-relaxed-simd", off: "--no-experimental-wasm-relaxed-simd" },
  ],
  // Its second compiler; in Node 20 that one crashes, and from 24 on there is no other.
  22: [...optimizeAtOnce, { on: "--turboshaft-wasm", off: "--no-turboshaft-wasm" }],
  24: [...optimizeAtOnce, ...revectorize],
  26: [...optimizeAtOnce, ...revectorize],
}

export interface ProgramChoice {
  /** Do without relaxed SIMD or shared memory even where they exist: for tests. */
  readonly relaxed?: boolean
  readonly shared?: boolean
}

/** Compiles the best program for this engine. Throws when it has no WebAssembly SIMD. */
export async function loadProgram(choice: ProgramChoice = {}): Promise<Program> {
  if (!WebAssembly.validate(simd)) {
    throw new Error(
      'this JavaScript engine has no WebAssembly SIMD: use a newer one, or the backend "reference"',
    )
  }
  const node = nodeMajor()
  const flags = (node !== undefined && flagsOfNode[node]) || []
  const relaxed = choice.relaxed !== false && withEngineFlags(flags, () => WebAssembly.validate(relaxedSimd))
  const shared = choice.shared !== false && canShareMemory
  const bytes = await loadBytes(programUrl(relaxed, shared))
  // Under flags the compilation is synchronous, so that no other module is compiled with them.
  const module =
    flags.length > 0
      ? withEngineFlags(flags, () => new WebAssembly.Module(bytes))
      : await WebAssembly.compile(bytes)
  const wide = flags.some((flag) => revectorize.includes(flag)) && process.arch === "x64"
  return {
    module,
    shared,
    wide,
    features: `${relaxed ? "relaxed" : "plain"} SIMD${wide ? ", revectorized" : ""}`,
  }
}

/** Written out one by one: bundlers find files only in this form. */
function programUrl(relaxed: boolean, shared: boolean): URL {
  if (shared) {
    return relaxed
      ? new URL("./kernels-relaxed-shared.wasm", import.meta.url)
      : new URL("./kernels-plain-shared.wasm", import.meta.url)
  }
  return relaxed
    ? new URL("./kernels-relaxed-single.wasm", import.meta.url)
    : new URL("./kernels-plain-single.wasm", import.meta.url)
}
