import { expect, test } from "vitest"
import type { Context } from "./context.js"
import { describeFailure } from "./failure.js"
import { Lifetime } from "./lifetime.js"
import { buildProgram } from "./program.js"
import { FakeKeyboard, FakeScreen } from "./screen-fixture.js"

/** Runs a command line in this process. */
async function parse(args: readonly string[]) {
  const out = new FakeScreen(false)
  const err = new FakeScreen(false)
  const context: Context = {
    stdin: new FakeKeyboard().asStdin(),
    out,
    err,
    env: {},
    lifetime: new Lifetime(),
  }
  let code = 0
  try {
    await buildProgram(context, "1.2.3").parseAsync(args, { from: "user" })
  } catch (error) {
    const failure = describeFailure(error)
    code = failure.exitCode
    if (failure.message !== "") err.write(`error: ${failure.message}\n`)
  }
  return { code, out: out.text, err: err.text }
}

const mistakes: [string, string[], RegExp][] = [
  ["an unknown command", ["genrate"], /^error: unknown command 'genrate'\n\(Did you mean generate\?\)\n$/],
  ["a command like no other", ["frobnicate"], /^error: unknown command 'frobnicate'\nSee "cria --help"\.\n$/],
  ["an unknown option", ["generate", "--temprature", "1"], /Did you mean --temperature\?/],
  [
    "a number that is none",
    ["generate", "--temperature", "hot"],
    /Expected a number from 0 to 100\.\nSee "cria generate --help"\.\n$/,
  ],
  ["a number out of range", ["generate", "--top-p", "0"], /0 excluded/],
  ["an unknown backend", ["info", "--backend", "cuda"], /auto, native, wasm, reference/],
  ["an unknown kind of weight", ["convert", "a", "b", "--weights", "int3"], /int4-min/],
  ["a missing argument", ["convert", "a"], /missing required argument 'out'/],
  ["a prompt given twice", ["generate", "a", "--prompt", "b"], /given twice/],
  ["an empty --stop", ["generate", "a", "--stop", ""], /--stop needs a text/],
  ["--system without --chat", ["generate", "--system", "x", "y"], /--system needs --chat/],
  ["--special with --chat", ["generate", "--chat", "--special", "y"], /--special does not go with --chat/],
  ["a chat without terminal or message", ["chat"], /^error: chat needs a terminal/],
  ["a safetensors file as target", ["convert", "a", "b.safetensors"], /written as a folder/],
  ["two formats at once", ["convert", "a", "b.gguf", "--to", "safetensors"], /leave one out/],
]
for (const [what, args, message] of mistakes) {
  test(`usage: ${what} gets one or two lines and exit code 2`, async () => {
    const { code, out, err } = await parse(args)
    expect({ code, out }).toEqual({ code: 2, out: "" })
    expect(err).toMatch(message)
    expect(err.startsWith("error: ")).toBe(true)
    expect(err.trim().split("\n").length).toBeLessThanOrEqual(2)
  })
}

test("every command has a help with examples, and no line is wider than the terminal", async () => {
  const { out, code } = await parse(["--help"])
  expect(code).toBe(0)
  const lifetime = new Lifetime()
  const screen = new FakeScreen(false)
  const context: Context = {
    stdin: new FakeKeyboard().asStdin(),
    out: screen,
    err: screen,
    env: {},
    lifetime,
  }
  const names = buildProgram(context, "1.2.3").commands.map((command) => command.name())
  expect(names).toEqual(expect.arrayContaining(["chat", "generate", "tokenize", "info", "convert", "bench"]))
  for (const name of names) {
    expect(out).toContain(`\n  ${name}`)
    const help = await parse([name, "--help"])
    expect(help).toMatchObject({ code: 0, err: "" })
    expect(help.out).toMatch(/Examples:\n {2}\$ /)
    const [options] = help.out.split("Examples:")
    for (const line of options.split("\n")) expect(line.length).toBeLessThanOrEqual(80)
  }
})
