// Renders a Jinja template that a model brings, with @huggingface/jinja, under bounds of work and size.
// Knows nothing of messages or tokens; how the bounds are kept is jinja-interpreter.ts.
import { Environment, parse, tokenize } from "@huggingface/jinja"
import { CriaError, InvalidFileError, InvalidOptionError } from "../errors/index.js"
import {
  BoundedInterpreter,
  cost,
  markOutputs,
  type Scope,
  type TemplateLimits,
} from "./jinja-interpreter.js"

/** Largest template that is parsed. Published ones have at most some tens of thousands of characters. */
const maxTemplateLength = 262_144
/** The library's preprocessing is quadratic in a run of white space. */
const maxSpaceRun = 500
const maxRange = 100_000

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const monthNames =
  "January February March April May June July August September October November December".split(" ")

/** Python's strftime for the directives that dates need, in English; others stay as they are. */
export function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, "0")
  const directives: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    y: () => two(date.getFullYear() % 100),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    b: () => monthNames[date.getMonth()].slice(0, 3),
    B: () => monthNames[date.getMonth()],
    a: () => weekdays[date.getDay()].slice(0, 3),
    A: () => weekdays[date.getDay()],
    H: () => two(date.getHours()),
    I: () => two(date.getHours() % 12 || 12),
    p: () => (date.getHours() < 12 ? "AM" : "PM"),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    "%": () => "%",
  }
  return format.replace(/%(.)/g, (whole, letter: string) => directives[letter]?.() ?? whole)
}

/**
 * Renders a chat template. `variables` are plain values (`messages`, `tools`, `bos_token`,
 * `add_generation_prompt`, ...); `strftime_now`, `raise_exception`, `range` and `namespace` are provided.
 * @param now the time that `strftime_now` tells.
 * @throws InvalidFileError where the template is malformed, uses what is not supported, or does too much work;
 * InvalidOptionError where the template itself refuses the conversation (`raise_exception`).
 */
export function renderTemplate(
  template: string,
  variables: Readonly<Record<string, unknown>>,
  limits: TemplateLimits = {},
  now: Date = new Date(),
): string {
  if (template.length > maxTemplateLength)
    throw new InvalidFileError(
      `the chat template has ${template.length} characters, at most ${maxTemplateLength} are taken`,
    )
  if (longestSpaceRun(template) > maxSpaceRun)
    throw new InvalidFileError(`the chat template has more than ${maxSpaceRun} spaces or line ends in a row`)
  try {
    const program = parsed(template)
    const environment = new Environment() as Scope
    const interpreter = new BoundedInterpreter(environment, template.length, limits)
    const globals = { ...functions(interpreter, now), ...variables }
    for (const [key, value] of Object.entries(globals)) if (value !== undefined) environment.set(key, value)
    return String(interpreter.run(program).value)
  } catch (error) {
    if (error instanceof CriaError) throw error
    const reason =
      error instanceof RangeError
        ? "it nests too deeply, or makes a text that is too long"
        : (error as Error).message.slice(0, 300)
    throw new InvalidFileError(`the chat template cannot be rendered: ${reason}`, { cause: error })
  }
}

/** The last template and its program: one that is used again and again is parsed once. */
let last: { template: string; program: ReturnType<typeof parse> } | undefined

function parsed(template: string): ReturnType<typeof parse> {
  if (last?.template !== template) {
    const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }))
    markOutputs(program)
    last = { template, program }
  }
  return last.program
}

function longestSpaceRun(text: string): number {
  let longest = 0
  for (const run of text.match(/\s+/g) ?? []) longest = Math.max(longest, run.length)
  return longest
}

/** What every template may call. The library's own versions trust their arguments. */
function functions(interpreter: BoundedInterpreter, now: Date): Record<string, unknown> {
  return {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception: (message: unknown) => {
      const said = typeof message === "string" ? message.slice(0, 500) : "no reason given"
      throw new InvalidOptionError(`the model's chat template refuses this conversation: ${said}`)
    },
    strftime_now: (format: unknown) => {
      if (typeof format !== "string" || format.length > 200)
        throw new InvalidFileError(
          "strftime_now of the chat template needs a format of at most 200 characters",
        )
      interpreter.charge(cost.strftime)
      return strftime(now, format)
    },
    range: (first: unknown, second?: unknown, third?: unknown) => {
      const numbers = [first, second, third].filter((value) => value !== undefined)
      const [start, stop, step] =
        numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0], numbers[1], numbers[2] ?? 1]
      if (![start, stop, step].every((value) => Number.isSafeInteger(value)) || step === 0)
        throw new InvalidFileError("range of the chat template needs whole numbers and a step that is not 0")
      const [from, to, by] = [start as number, stop as number, step as number]
      const length = Math.max(0, Math.ceil((to - from) / by))
      if (length > maxRange)
        throw new InvalidFileError(`range of the chat template makes more than ${maxRange} numbers`)
      interpreter.charge(length * 100)
      return Array.from({ length }, (_, index) => from + index * by)
    },
  }
}
