// The part of a model card that only people know: what the model is for, what went into it, under which licence.
import * as z from "zod"
import { InvalidFileError } from "../errors/index.js"

const line = z.string().min(1).max(5000)
const lines = z.array(line).max(200)

const tableSchema = z.strictObject({
  title: line,
  note: line.optional(),
  columns: z.array(z.string().max(500)).min(1).max(50),
  rows: z.array(z.array(z.union([z.string().max(1000), z.number(), z.null()])).max(50)).max(2000),
})
/** Results of an evaluation, as they are to be shown. */
export type EvaluationTable = z.infer<typeof tableSchema>

const aboutSchema = z.strictObject({
  name: line.optional(),
  description: line.optional(),
  /** Codes such as `en`. */
  languages: z
    .array(z.string().regex(/^[a-z]{2,3}(-[A-Za-z]{2,4})?$/, "a language code such as en"))
    .max(200)
    .default([]),
  /** An SPDX identifier, or a name that Hugging Face knows. */
  licence: line.optional(),
  licenceLink: line.optional(),
  intendedUse: lines.default([]),
  outOfScopeUse: lines.default([]),
  /** What went into it, with the licence of each. */
  data: z
    .array(
      z.strictObject({
        name: line,
        licence: line,
        source: line.optional(),
        amount: line.optional(),
        used: line.optional(),
      }),
    )
    .max(500)
    .default([]),
  limits: lines.default([]),
  /** What the model must not be taken for. */
  isNot: lines.default([]),
  evaluation: z.array(tableSchema).max(100).default([]),
  contact: line.optional(),
})
export type About = z.infer<typeof aboutSchema>

/** Checks what a file says. InvalidFileError that names the fields which are wrong. */
export function aboutFrom(value: unknown, path: string): About {
  return checked(aboutSchema, value ?? {}, path)
}

/** Tables of a file of evaluation results, `{"tables": [...]}`. */
export function tablesFrom(value: unknown, path: string): EvaluationTable[] {
  return checked(
    z.strictObject({ version: z.literal(1).optional(), tables: z.array(tableSchema).max(100) }),
    value,
    path,
  ).tables
}

function checked<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`)
  throw new InvalidFileError(`${path}: ${issues.join("; ")}`)
}
