// The backends that the suites run over, with their numbers of threads. The native one is left out, with a printed
// reason, where it was not built.
import { test } from "vitest"
import { nativeAbsence, type BackendName } from "#cria/backends/index"

const absence = await nativeAbsence()

const native = [1, 2, 3].map((threads) => ({ name: "native", threads }) as const)

export const backendCases: readonly { name: BackendName; threads: number }[] = [
  { name: "reference", threads: 1 },
  { name: "wasm", threads: 1 },
  { name: "wasm", threads: 3 },
  ...(absence === undefined ? native : []),
]

/** Tells that the native backend is left out, if so. */
export function tellAbsence(): void {
  if (absence !== undefined) test.skip(`native backend: ${absence}`, () => {})
}
