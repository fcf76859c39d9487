// POST /v1/embeddings: texts to vectors of length 1.
import { idsOf } from "../engine/api-values.js"
import { checkLength } from "./answers.js"
import { badRequest } from "./api-error.js"
import { readJson } from "./read-body.js"
import { json, type Reply } from "./reply.js"
import { embeddingRequest } from "./schemas.js"
import { type ServerContext, Work } from "./work.js"

/** Texts that are given to the engine together. */
const together = 8

export async function embeddings(context: ServerContext, request: Request): Promise<Reply> {
  const body = await readJson(request, embeddingRequest, context.limits)
  const work = await Work.begin(context, body.model, 1, request)
  try {
    const { llama, adapter, signal } = work
    const { width } = llama.config
    const dimensions = body.dimensions ?? width
    if (dimensions > width)
      throw badRequest(
        `dimensions: this model's vectors have ${width} numbers, not ${dimensions}`,
        "dimensions",
      )
    const given = textsOf(body.input)
    for (const text of given) checkLength(llama, [text])
    const texts = given.map((text) => idsOf(llama, text))
    const vectors: Float32Array[] = []
    for (let at = 0; at < texts.length; at += together) {
      const part = texts.slice(at, at + together)
      vectors.push(...(await Promise.all(part.map((ids) => llama.embed(ids, { adapter, signal })))))
    }
    const tokens = texts.reduce((sum, ids) => sum + ids.length, 0)
    work.report(tokens, 0)
    return json({
      object: "list",
      data: vectors.map((vector, index) => {
        const short = shortened(vector, dimensions)
        return {
          object: "embedding",
          index,
          embedding: body.encoding_format === "base64" ? base64(short) : Array.from(short),
        }
      }),
      model: body.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    })
  } finally {
    work.end()
  }
}

/** One text or several, each as text or as token ids. */
export function textsOf(input: string | string[] | number[] | number[][]): (string | number[])[] {
  if (typeof input === "string") return [input]
  return typeof input[0] === "number" ? [input as number[]] : (input as (string | number[])[])
}

/** The first numbers of a vector, of length 1 again. */
function shortened(vector: Float32Array, dimensions: number): Float32Array {
  if (dimensions === vector.length) return vector
  const first = vector.subarray(0, dimensions)
  const norm = Math.hypot(...first)
  return first.map((value) => (norm > 0 ? value / norm : 0))
}

/** Little-endian floats as base64. */
function base64(vector: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(vector.length * 4))
  for (const [index, value] of vector.entries()) bytes.setFloat32(index * 4, value, true)
  let text = ""
  for (let i = 0; i < bytes.byteLength; i++) text += String.fromCharCode(bytes.getUint8(i))
  return btoa(text)
}
