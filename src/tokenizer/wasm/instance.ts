// The compiled encoder of byte-level BPE and its instances. The program is small enough for browsers to compile it
// on the spot, so nothing here waits.
import { UnsupportedError } from "../../errors/index.js"
import { programs } from "./program.js"

/** What wasm/kernels/main.ts exports, with its comments. Addresses stay below 2^31. */
export interface Program {
  setTables(records: number, starts: number, lateNumbers: number, first: number, nodes: number): void
  setWhole(slots: number, count: number): void
  setEarlyPairs(slots: number, count: number, filter: number, filterWords: number, bound: number): void
  setPairs(slots: number, count: number, filter: number, filterWords: number, merged: number): void
  setBytePairs(address: number): void
  setStages(address: number, count: number, wholeTokens: boolean): void
  place(text: number, dead: number, scratch: number): void
  encode(start: number, end: number, target: number, last: boolean): number
  stopped(): number
  next(stage: number, start: number, end: number): number
}

/** What the program calls; see there. */
export interface Host {
  explore(stage: number, row: number, point: number): void
  merge(start: number, end: number, target: number): number
  refuse(): void
}

const compiled: Partial<Record<keyof typeof programs, WebAssembly.Module>> = {}

/** The program at work in a memory, shared or not. UnsupportedError where there is no WebAssembly, or the page's policy forbids it. */
export function instantiate(memory: WebAssembly.Memory, shared: boolean, host: Host): Program {
  const variant = shared ? "shared" : "single"
  try {
    const module = (compiled[variant] ??= new WebAssembly.Module(
      Uint8Array.from(atob(programs[variant]), (char) => char.charCodeAt(0)),
    ))
    const { exports } = new WebAssembly.Instance(module, { env: { memory }, host: { ...host } })
    return exports as unknown as Program
  } catch (error) {
    throw new UnsupportedError(
      `the tokenizer needs WebAssembly, which did not start here (${String(error)}): ` +
        `does the page's content security policy lack 'wasm-unsafe-eval'?`,
    )
  }
}
