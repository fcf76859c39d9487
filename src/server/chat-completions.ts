// POST /v1/chat/completions: whole answers, or chunks as they come.
import { newId } from "../engine/api-values.js"
import type { Batches } from "../engine/generation.js"
import type { FinishReason, Piece } from "../engine/options.js"
import { batchesOf, checkLength, probabilities, seconds, UsageCount } from "./answers.js"
import { chatTask } from "./chat-request.js"
import { oneCallOf, WrittenCalls } from "./written-calls.js"
import { dataEvent, eventStream, type EventWriter } from "./event-stream.js"
import { readJson } from "./read-body.js"
import { json, type Reply } from "./reply.js"
import { type ChatRequest, chatRequest } from "./schemas.js"
import { type ServerContext, Work } from "./work.js"

export async function chatCompletions(context: ServerContext, request: Request): Promise<Reply> {
  const body = await readJson(request, chatRequest, context.limits)
  const { messages, options, parallelCalls } = chatTask(body)
  const work = await Work.begin(context, body.model, options.n ?? 1, request)
  let handedOver = false
  try {
    checkLength(
      work.llama,
      messages.map(({ content }) => content),
    )
    const generation = work.llama.chat(messages, { ...options, adapter: work.adapter, signal: work.signal })
    const all = batchesOf(generation, body.stream === true)
    const batches = parallelCalls ? all : oneCallOf(all)
    if (!body.stream) return await whole(body, batches, work)
    const first = await batches.next() // what is wrong with the request comes to light before the status is sent
    handedOver = true
    return eventStream(first, batches, chunksOf(body, work), work, context.limits.stallTimeout)
  } finally {
    if (!handedOver) work.end()
  }
}

const finishReasons: Record<FinishReason, "stop" | "length" | "tool_calls"> = {
  stop: "stop",
  length: "length",
  toolCalls: "tool_calls",
}

async function whole(body: ChatRequest, batches: Batches, work: Work): Promise<Reply> {
  const answers = Array.from({ length: body.n ?? 1 }, () => ({
    texts: [] as string[],
    logprobs: [] as unknown[],
    calls: new WrittenCalls(),
    finish: "stop" as FinishReason,
  }))
  const usage = new UsageCount(body.n ?? 1)
  for await (const pieces of batches) {
    work.onPiece()
    for (const piece of pieces) {
      const answer = answers[piece.index]
      answer.calls.add(piece)
      answer.texts.push(answer.calls.textOf(piece))
      const one = probabilities(work.llama.tokenizer, piece)
      if (one) answer.logprobs.push(one)
      if (piece.finishReason) answer.finish = answer.calls.reasonOf(piece.finishReason)
      usage.add(piece)
    }
  }
  work.report(usage.promptTokens, usage.completionTokens)
  return json({
    id: newId("chatcmpl-"),
    object: "chat.completion",
    created: seconds(),
    model: body.model,
    choices: answers.map(({ texts, logprobs, calls, finish }, index) => {
      const text = texts.join("")
      return {
        index,
        message: {
          role: "assistant",
          content: calls.all.length > 0 && text === "" ? null : text,
          refusal: null,
          ...(calls.all.length > 0 && {
            tool_calls: calls.all.map(({ id, name, parts }) => ({
              id,
              type: "function",
              function: { name, arguments: parts.join("") },
            })),
          }),
        },
        logprobs: body.logprobs ? { content: logprobs, refusal: null } : null,
        finish_reason: finishReasons[finish],
      }
    }),
    usage,
  })
}

/** The chunks of a stream, which ends with [DONE] or with an error. */
function chunksOf(body: ChatRequest, work: Work): EventWriter {
  const withUsage = body.stream_options?.include_usage === true
  const head = {
    id: newId("chatcmpl-"),
    object: "chat.completion.chunk",
    created: seconds(),
    model: body.model,
  }
  const opening = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`
  const closing = withUsage ? `],"usage":null}\n\n` : `]}\n\n`
  const event = (index: number, delta: object, logprobs: unknown = null, finish: string | null = null) =>
    `${opening}{"index":${index},"delta":${JSON.stringify(delta)},"logprobs":${
      logprobs === null ? "null" : JSON.stringify(logprobs)
    },"finish_reason":${finish === null ? "null" : `"${finish}"`}}${closing}`
  const usage = new UsageCount(body.n ?? 1)
  const answers = new Map<number, WrittenCalls>()
  const eventsOf = (piece: Piece): string => {
    const { index, finishReason } = piece
    let out = ""
    let calls = answers.get(index)
    if (!calls) {
      answers.set(index, (calls = new WrittenCalls()))
      out += event(index, { role: "assistant", content: "", refusal: null })
    }
    const one = body.logprobs ? probabilities(work.llama.tokenizer, piece) : undefined
    for (const { index: at, id, name, arguments: part } of calls.add(piece)) {
      const begin = id !== undefined && { id, type: "function" }
      const called = name === undefined ? { arguments: part } : { name, arguments: part }
      out += event(index, { tool_calls: [{ index: at, ...begin, function: called }] })
    }
    const text = calls.textOf(piece)
    if (text !== "" || one)
      out += event(index, { content: text }, one ? { content: [one], refusal: null } : null)
    if (finishReason) out += event(index, {}, null, finishReasons[calls.reasonOf(finishReason)])
    usage.add(piece)
    return out
  }
  return {
    write: (pieces) => pieces.map(eventsOf).join(""),
    end: () => {
      work.report(usage.promptTokens, usage.completionTokens)
      return (withUsage ? dataEvent({ ...head, choices: [], usage }) : "") + "data: [DONE]\n\n"
    },
    fail: (error) => dataEvent(error.body),
  }
}
