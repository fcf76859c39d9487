// From the bytes of a request to a checked object: size, type, encoding, depth and time are bounded before any
// of it is looked at.
import type { z } from "zod"
import { ApiError, badRequest, clientGone, fromZodError } from "./api-error.js"

export interface Limits {
  /** Most bytes of a body. */
  readonly maxBodyBytes: number
  /** Milliseconds until all of it has to be here. */
  readonly bodyTimeout: number
  /** Milliseconds that the reader of a stream may take nothing. */
  readonly stallTimeout: number
}

/** Nesting of arrays and objects that is read; JSON schemas of real tools stay far below. */
const maxDepth = 64

/** @throws ApiError 400, 408, 413 or 415. */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  limits: Limits,
): Promise<z.output<Schema>> {
  const type = request.headers.get("content-type") ?? ""
  if (!/^application\/(?:json|[\w.-]+\+json)\s*(?:;|$)/i.test(type))
    throw new ApiError(
      415,
      `the body must be JSON, content-type: application/json, not "${type.slice(0, 80)}"`,
    )
  if (!/^(?:identity)?$/i.test(request.headers.get("content-encoding") ?? ""))
    throw new ApiError(415, "compressed bodies are not read: send it as it is")
  const text = decode(await readBytes(request, limits))
  if (depthOf(text) > maxDepth) throw badRequest(`the body is nested more than ${maxDepth} deep`)
  const result = schema.safeParse(parse(text))
  if (!result.success) throw fromZodError(result.error)
  return result.data
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badRequest(`the body is not JSON: ${(error as Error).message.slice(0, 200)}`)
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true })

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw badRequest("the body is not valid UTF-8")
  }
}

async function readBytes(request: Request, { maxBodyBytes, bodyTimeout }: Limits): Promise<Uint8Array> {
  const tooLarge = () =>
    new ApiError(413, `the body is larger than the ${maxBodyBytes} bytes that this server takes`, {
      code: "body_too_large",
      headers: { connection: "close" },
    })
  const announced = request.headers.get("content-length")
  if (Number(announced ?? 0) > maxBodyBytes) throw tooLarge()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const expire = () =>
      reject(
        new ApiError(408, `the body did not arrive within ${bodyTimeout / 1000} s`, {
          headers: { connection: "close" },
        }),
      )
    timer = setTimeout(expire, bodyTimeout)
  })
  try {
    // a body whose length is known is read at once: a stream of its parts costs more than all else that is done with it
    const bytes =
      announced === null
        ? await readParts(request, maxBodyBytes, late)
        : new Uint8Array(await Promise.race([request.arrayBuffer(), late]))
    if (!bytes || bytes.length > maxBodyBytes) throw tooLarge()
    return bytes
  } catch (error) {
    throw error instanceof ApiError ? error : clientGone()
  } finally {
    clearTimeout(timer)
  }
}

/** Undefined where there are more than so many bytes. */
async function readParts(
  { body }: Request,
  most: number,
  late: Promise<never>,
): Promise<Uint8Array | undefined> {
  if (!body) return new Uint8Array()
  const reader = body.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) break
      length += value.length
      if (length > most) break
      parts.push(value)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
  if (length > most) return undefined
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** How deep brackets nest outside of strings; meaningful for JSON only. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      for (at++; at < text.length; at++) {
        const inside = text.charCodeAt(at)
        if (inside === 0x5c) at++
        else if (inside === 0x22) break
      }
    } else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}
