// A model's source as plain data that a page can send to its engine's worker.
import * as z from "zod"

export const wireSource = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("url"), url: z.string() }),
  z.strictObject({
    kind: z.literal("files"),
    /** For messages. */
    path: z.string(),
    files: z.array(z.tuple([z.string(), z.custom<Blob>((value) => value instanceof Blob)])).min(1),
  }),
])
export type WireSource = z.infer<typeof wireSource>
