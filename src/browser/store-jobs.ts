// What the store has its worker do, and what the worker tells: plain data.
import * as z from "zod"
import type { ErrorData } from "../engine/error-data.js"
import { manifest } from "./store-format.js"

export const storeJob = z.discriminatedUnion("type", [
  /** Fetches what is missing of the files of a manifest. */
  z.strictObject({ type: z.literal("download"), manifest }),
  /** Copies files of the user. */
  z.strictObject({
    type: z.literal("add"),
    manifest,
    blobs: z.array(z.custom<Blob>((value) => value instanceof Blob)),
  }),
  /** Reads everything again and compares. */
  z.strictObject({ type: z.literal("verify"), name: z.string() }),
])
export type StoreJob = z.infer<typeof storeJob>

export type FromStoreWorker =
  | { readonly type: "progress"; readonly file: string; readonly loaded: number; readonly total?: number }
  | { readonly type: "done" }
  | { readonly type: "failed"; readonly error: ErrorData }
