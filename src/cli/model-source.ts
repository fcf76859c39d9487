// From what --model says to an open checkpoint, without loading any weights. For the commands that look into a
// model instead of running it.
import { ModelNotFoundError } from "../errors/index.js"
import type { Checkpoint } from "../formats/node.js"
import type { Context } from "./context.js"
import { oneLine } from "./format.js"

/** Opens the model that `source` means; it is closed at the end of the process at the latest. */
export async function openSource({ env, lifetime }: Context, source: string): Promise<Checkpoint> {
  const { defaultModel, findModel, suggestModels } = await import("../hub/index.js")
  const { openCheckpoint } = await import("../formats/node.js")
  const wanted = source === "default" ? defaultModel(env) : source
  const path = await findModel(wanted)
  if (path === undefined) {
    const close = await suggestModels(wanted)
    throw new ModelNotFoundError(
      `there is no model "${oneLine(wanted)}" on this disk: ` +
        (close.length > 0
          ? `did you mean ${close.join(" or ")}?`
          : /^[^/\s]+\/[^/\s]+$/.test(wanted)
            ? `"cria pull ${oneLine(wanted)}" downloads it`
            : 'give a folder or a file, or see "cria list"'),
    )
  }
  const checkpoint = await openCheckpoint(path)
  lifetime.defer(() => checkpoint.close())
  return checkpoint
}
