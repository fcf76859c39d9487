// The model that is meant where none is named: the one that CRIA_MODEL names, else the small demonstration model that
// the package brings.
import { fileURLToPath } from "node:url"

/** The demonstration model of the package: a few million parameters, for trying things; see models/default. */
export const embeddedModel = fileURLToPath(new URL("../../models/default/cria-demo.gguf", import.meta.url))

/** What "default" stands for: a source like any other. A CRIA_MODEL that says "default" itself means the embedded model. */
export function defaultModel(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const named = env["CRIA_MODEL"]
  return named === undefined || named === "" || named === "default" ? embeddedModel : named
}
