// What "cria" alone shows: the few commands to begin with.
import type { Context } from "./context.js"
import { table } from "./format.js"

export function startPage({ out }: Context, version: string): void {
  const command = (text: string) => out.paint("cyan", text)
  const rows = table([
    [command("cria chat"), "talk with a model"],
    [command('cria generate "Once upon a time"'), "continue a text"],
    [command("cria serve"), "answer OpenAI's API on a port"],
    [command("cria info <model>"), "what a model file is, and the memory it takes"],
    [command("cria pull owner/name"), "download a model from the hub"],
    [command("cria list"), "models that are on this disk already"],
    [command("cria help"), "all commands"],
  ])
  out.write(
    `${out.paint("bold", "cria")} ${out.paint("dim", version)}  Llama 3.2 in TypeScript, on this machine alone\n\n` +
      `${rows.map((row) => `  ${row}`).join("\n")}\n\n` +
      `${out.paint("dim", "Without --model answers a small demonstration model that comes along; name a real one (a folder, a file, a hub id), or set CRIA_MODEL once.")}\n`,
  )
}
