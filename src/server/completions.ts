// POST /v1/completions, the older API: texts or tokens are continued as they stand.
import { idsOf, newId } from "../engine/api-values.js"
import type { Batches } from "../engine/generation.js"
import type { Piece } from "../engine/options.js"
import {
  batchesOf,
  checkLength,
  merged,
  probability,
  samplingOptions,
  seconds,
  UsageCount,
  withoutUndefined,
} from "./answers.js"
import { badRequest } from "./api-error.js"
import { textsOf } from "./embeddings.js"
import { dataEvent, eventStream, type EventWriter } from "./event-stream.js"
import { echoOf, type Logprobs, noLogprobs } from "./prompt-logprobs.js"
import { readJson } from "./read-body.js"
import { json, type Reply } from "./reply.js"
import { type CompletionRequest, completionRequest } from "./schemas.js"
import { type ServerContext, Work } from "./work.js"

/** What the API takes where nothing is said. */
const usualMaxTokens = 16

export async function completions(context: ServerContext, request: Request): Promise<Reply> {
  const body = await readJson(request, completionRequest, context.limits)
  const n = body.n ?? 1
  if (body.best_of != null && body.best_of !== n)
    throw badRequest("best_of must be as large as n: this server returns all answers it computes", "best_of")
  const prompts = textsOf(body.prompt ?? "")
  const work = await Work.begin(
    context,
    body.model,
    Math.min(n * prompts.length, context.gate.maxRunning),
    request,
  )
  let handedOver = false
  try {
    for (const prompt of prompts) checkLength(work.llama, [prompt])
    const ids = prompts.map((prompt) => idsOf(work.llama, prompt))
    const echoes = body.echo
      ? await Promise.all(ids.map((prompt) => echoOf(work, prompt, body.logprobs ?? undefined)))
      : []
    const options = withoutUndefined({
      ...samplingOptions(body),
      logitBias: body.logit_bias ?? undefined,
      n,
      stop: body.stop ?? undefined,
      maxTokens: body.max_tokens ?? usualMaxTokens,
      logprobs: body.logprobs ?? undefined,
      adapter: work.adapter,
      signal: work.signal,
    })
    const each = ids.map((prompt) => batchesOf(work.llama.generate(prompt, options), body.stream === true))
    const batches = each.length === 1 ? each[0] : merged(each, n, work)
    const partsOf = partsWith(body, echoes, work)
    if (!body.stream) return await whole(body, batches, partsOf, prompts.length * n, work)
    const first = await batches.next()
    handedOver = true
    return eventStream(first, batches, eventsOf(body, partsOf, work), work, context.limits.stallTimeout)
  } finally {
    if (!handedOver) work.end()
  }
}

type PartsOf = (pieces: readonly Piece[]) => Part[]

/** A part of an answer: the echo of its prompt, or what a piece brought. */
interface Part {
  readonly index: number
  readonly text: string
  readonly logprobs: Logprobs | null
  readonly piece?: Piece
}

/** The parts that pieces make: before the first of an answer comes the echo. */
function partsWith(
  body: CompletionRequest,
  echoes: readonly { text: string; logprobs: Logprobs | null }[],
  work: Work,
): PartsOf {
  const n = body.n ?? 1
  /** Characters of each answer so far; logprobs name the place of each token in it. */
  const lengths: number[] = []
  return (pieces) => {
    const parts: Part[] = []
    for (const piece of pieces) {
      const { index, text } = piece
      const echo = lengths[index] === undefined ? echoes[Math.floor(index / n)] : undefined
      if (echo) parts.push({ index, ...echo })
      const offset = lengths[index] ?? echo?.text.length ?? 0
      lengths[index] = offset + text.length
      const logprobs = body.logprobs == null ? null : logprobsOf(piece, offset, work)
      parts.push({ index, text, logprobs, piece })
    }
    return parts
  }
}

/** `offset`: characters before the piece. */
function logprobsOf({ token, logprobs: found }: Piece, offset: number, { llama }: Work): Logprobs {
  const logprobs = noLogprobs()
  if (token === undefined || !found) return logprobs
  const { token: shown, logprob } = probability(llama.tokenizer, token, found.logprob)
  logprobs.tokens.push(shown)
  logprobs.token_logprobs.push(logprob)
  logprobs.top_logprobs.push(
    Object.fromEntries(
      found.top.map((other) => {
        const { token: name, logprob: value } = probability(llama.tokenizer, other.token, other.logprob)
        return [name, value]
      }),
    ),
  )
  logprobs.text_offset.push(offset)
  return logprobs
}

async function whole(
  body: CompletionRequest,
  batches: Batches,
  partsOf: PartsOf,
  answers: number,
  work: Work,
): Promise<Reply> {
  const choices = Array.from({ length: answers }, (_, index) => ({
    texts: [] as string[],
    index,
    logprobs: body.logprobs == null ? null : noLogprobs(),
    finish_reason: "stop",
  }))
  const usage = new UsageCount(body.n ?? 1)
  for await (const pieces of batches) {
    work.onPiece()
    for (const { index, text, logprobs, piece } of partsOf(pieces)) {
      const choice = choices[index]
      choice.texts.push(text)
      if (logprobs && choice.logprobs) {
        choice.logprobs.tokens.push(...logprobs.tokens)
        choice.logprobs.token_logprobs.push(...logprobs.token_logprobs)
        choice.logprobs.top_logprobs.push(...logprobs.top_logprobs)
        choice.logprobs.text_offset.push(...logprobs.text_offset)
      }
      if (piece?.finishReason) choice.finish_reason = piece.finishReason
      if (piece) usage.add(piece)
    }
  }
  work.report(usage.promptTokens, usage.completionTokens)
  return json({
    id: newId("cmpl-"),
    object: "text_completion",
    created: seconds(),
    model: body.model,
    choices: choices.map(({ texts, ...choice }) => ({ text: texts.join(""), ...choice })),
    usage,
  })
}

function eventsOf(body: CompletionRequest, partsOf: PartsOf, work: Work): EventWriter {
  const usage = new UsageCount(body.n ?? 1)
  const head = { id: newId("cmpl-"), object: "text_completion", created: seconds(), model: body.model }
  const withUsage = body.stream_options?.include_usage === true
  const opening = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`
  const closing = withUsage ? `],"usage":null}\n\n` : `]}\n\n`
  const event = ({ index, text, logprobs, piece }: Part): string => {
    const finish = piece?.finishReason ?? null
    if (piece) usage.add(piece)
    if (text === "" && finish === null && !logprobs?.tokens.length) return ""
    return opening + JSON.stringify({ text, index, logprobs, finish_reason: finish }) + closing
  }
  return {
    write: (pieces) => partsOf(pieces).map(event).join(""),
    end: () => {
      work.report(usage.promptTokens, usage.completionTokens)
      return (withUsage ? dataEvent({ ...head, choices: [], usage }) : "") + "data: [DONE]\n\n"
    },
    fail: (error) => dataEvent(error.body),
  }
}
