// The way to a backend by name. Each is loaded only when asked for.
import { InvalidOptionError } from "../errors/errors.js"
import type { Backend, BackendName, BackendOptions } from "./backend.js"

export * from "./backend.js"

/** What "auto" can stand for, best first. */
export const backendNames: readonly BackendName[] = ["native", "wasm", "reference"]

/** Makes a backend; "auto" is the fastest one that runs here. Throws InvalidOptionError on unknown names. */
export async function createBackend(
  name: BackendName | "auto" = "auto",
  options: BackendOptions = {},
): Promise<Backend> {
  switch (name) {
    case "auto":
      return (await nativeAbsence()) === undefined
        ? createBackend("native", options)
        : createBackend("wasm", options)
    case "native":
      return (await import("./native/native.js")).NativeBackend.create(options)
    case "wasm":
      return (await import("./wasm/wasm.js")).WasmBackend.create(options)
    case "reference":
      return (await import("./reference/reference.js")).ReferenceBackend.create()
    default:
      throw new InvalidOptionError(
        `unknown backend ${JSON.stringify(name)}: expected "auto", ${backendNames.map((known) => `"${known}"`).join(" or ")}`,
      )
  }
}

/** Why "auto" does not stand for the native backend here, if so. */
export const nativeAbsence = async (): Promise<string | undefined> =>
  (await import("./native/loader.js")).nativeAbsence()
