// cria pull: downloads a model of the hub, with a bar.
import type { Command } from "commander"
import { numberIn, repeated } from "./options.js"
import type { Context } from "./context.js"
import { bytes, duration, oneLine, plural } from "./format.js"
import { type Amount, startProgress } from "./progress.js"
import type { PullProgress } from "../hub/index.js"

interface Flags {
  readonly revision?: string
  readonly token?: string | false
  readonly include?: string[]
  readonly connections?: number
  readonly offline?: boolean
  readonly json?: boolean
}

const states: Readonly<Record<PullProgress["state"], string>> = {
  cached: "",
  waiting: "another pull works on",
  checking: "checking",
  downloading: "",
  retrying: "connection lost, trying again:",
  verified: "",
}

export function addPull(program: Command, context: Context): void {
  program
    .command("pull")
    .summary("download a model from the hub")
    .description(
      "Downloads a model into the Hugging Face cache that other tools share. A pull that was stopped goes on where it was; every file is verified before it gets its name.",
    )
    .argument("<id>", "owner/name, optionally with @revision and :quantization, :file.gguf or :subfolder")
    .option("--revision <name>", "branch, tag or commit (default: main)")
    .option("--token <token>", "hub token (default: HF_TOKEN, or the one of the Hugging Face login)")
    .option("--no-token", "send no token")
    .option(
      "--include <pattern>",
      "take exactly the files that match, * for anything; may be repeated",
      repeated,
    )
    .option(
      "--connections <number>",
      "files at a time (default: 4)",
      numberIn({ min: 1, max: 16, whole: true }),
    )
    .option("--offline", "only say where the model is on this disk; ask no hub")
    .option("--json", "print one JSON object with the path and the files")
    .option("--verbose", "name every file as it is done")
    .addHelpText(
      "after",
      `
Examples:
  $ cria pull meta-llama/Llama-3.2-1B-Instruct
  $ cria pull bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_0
  $ HF_TOKEN=hf_... cria pull meta-llama/Llama-3.2-3B-Instruct --revision main`,
    )
    .action((id: string, flags: Flags & { verbose?: boolean }) => pull(context, id, flags))
}

async function pull(
  { out, err, lifetime }: Context,
  id: string,
  flags: Flags & { verbose?: boolean },
): Promise<void> {
  const { pullModel } = await import("../hub/index.js")
  const start = performance.now()
  const progress = startProgress(err)
  const undo = lifetime.defer(() => progress.end())
  const files = new Map<string, PullProgress>()
  try {
    const pulled = await pullModel(id, {
      revision: flags.revision,
      // Commander makes --no-token a default of true.
      token: flags.token === false ? false : typeof flags.token === "string" ? flags.token : undefined,
      include: flags.include,
      concurrency: flags.connections,
      offline: flags.offline,
      signal: lifetime.signal,
      onProgress(event) {
        const news = files.get(event.file)?.state !== event.state
        files.set(event.file, event)
        if (flags.verbose && news && event.state === "verified")
          err.write(`${oneLine(event.file)}: ${bytes(event.total)}, verified\n`)
        const parts = partsOf(files)
        const [only] = parts
        // One file that is nearly all of it says the same as the sum.
        const isAll = parts.length === 1 && event.overallTotal < 1.1 * (only.total ?? 0)
        progress.update(isAll ? only.label : "in all", event.overallLoaded, event.overallTotal, {
          speed: event.bytesPerSecond,
          parts: isAll ? [] : parts,
        })
      },
    })
    progress.end()
    if (flags.json) {
      out.write(`${JSON.stringify(pulled)}\n`)
      return
    }
    const seconds = (performance.now() - start) / 1000
    const news =
      pulled.received > 0
        ? `${bytes(pulled.received)} in ${duration(seconds)}, all verified`
        : "all of it was on this disk already"
    err.write(
      `${err.paint("green", "✓")} ${pulled.repository}: ${plural(pulled.files.length, "file")}, ${news}\n`,
    )
    out.write(`${pulled.path}\n`)
  } finally {
    progress.end()
    undo()
  }
}

/** Files that are at work now, a few at most: which of them, and how far each is. */
function partsOf(files: ReadonlyMap<string, PullProgress>): Amount[] {
  const active = [...files.values()].filter(({ state }) => state !== "cached" && state !== "verified")
  const shown = active.toSorted((a, b) => (a.file < b.file ? -1 : 1)).slice(0, 4)
  return shown.map(({ file, loaded, total, state }) => {
    const name = oneLine(file.slice(file.lastIndexOf("/") + 1))
    return { label: states[state] === "" ? name : `${states[state]} ${name}`, done: loaded, total }
  })
}
