// /v1/responses: creates, streams, keeps, returns, cancels and deletes responses.
import type { Message } from "../chat/index.js"
import { newId } from "../engine/api-values.js"
import type { Batches } from "../engine/generation.js"
import type { ChatGenerateOptions } from "../engine/llama.js"
import { batchesOf, checkLength, samplingOptions, withoutUndefined } from "./answers.js"
import { ApiError, badRequest, toApiError } from "./api-error.js"
import { choiceOf, joined, parseArguments } from "./chat-request.js"
import { constraintFor, type FunctionTool } from "./constraints.js"
import { eventStream, type EventWriter } from "./event-stream.js"
import { shuttingDown } from "./gate.js"
import { readJson } from "./read-body.js"
import { json, type Reply } from "./reply.js"
import { type ResponseEvent, ResponseWriter } from "./response-events.js"
import { newResponse, type OutputItem } from "./response-object.js"
import { type InputItem, type ResponseRequest, responseRequest } from "./responses-schema.js"
import { type ServerContext, Work } from "./work.js"
import { oneCallOf } from "./written-calls.js"

interface Task {
  readonly messages: readonly Message[]
  readonly options: ChatGenerateOptions
  readonly writer: ResponseWriter
  readonly input: readonly InputItem[]
  readonly body: ResponseRequest
}

export async function createResponse(context: ServerContext, request: Request): Promise<Reply> {
  const body = await readJson(request, responseRequest, context.limits)
  const task = taskOf(context, body)
  if (body.background) return inBackground(context, task)
  const work = await Work.begin(context, body.model, 1, request)
  let handedOver = false
  try {
    const batches = batchesFor(task, work)
    if (!body.stream) {
      await writeAll(task, batches, work)
      keep(context, task)
      return json(task.writer.response)
    }
    const first = await batches.next()
    handedOver = true
    return eventStream(first, batches, eventsOf(context, task, work), work, context.limits.stallTimeout)
  } finally {
    if (!handedOver) work.end()
  }
}

function taskOf({ responses }: ServerContext, body: ResponseRequest): Task {
  const tools = (body.tools ?? []).map(
    ({ name, description, parameters }): FunctionTool =>
      withoutUndefined({ name, description: description ?? undefined, parameters: parameters ?? undefined }),
  )
  const given: InputItem[] =
    typeof body.input === "string"
      ? [{ type: "message", role: "user", content: body.input }]
      : (body.input ?? [])
  // items have ids from here on, so that they can be listed and referred to
  const input = given.map((item): InputItem => ({ ...item, id: item.id ?? newId("item_") }))
  const earlier = body.previous_response_id ? responses.history(body.previous_response_id) : []
  const messages = messagesOf(resolved(responses, [...earlier, ...input]))
  if (body.instructions) messages.unshift({ role: "system", content: body.instructions })
  if (messages.length === 0) throw badRequest("input is empty: pass a text or items", "input")
  const choice = choiceOf(body.tool_choice, tools)
  const withLogprobs =
    (body.top_logprobs ?? 0) > 0 || (body.include ?? []).includes("message.output_text.logprobs")
  return {
    body,
    input,
    messages,
    writer: new ResponseWriter(newResponse(body), withLogprobs),
    options: withoutUndefined({
      ...samplingOptions(body),
      maxTokens: body.max_output_tokens ?? undefined,
      logprobs: withLogprobs ? (body.top_logprobs ?? 0) : undefined,
      contextOverflow: body.truncation === "auto" ? ("slide" as const) : undefined,
      tools: choice === "none" ? [] : tools.map((tool) => ({ type: "function" as const, function: tool })),
      constraint: constraintFor(
        body.text?.format ?? undefined,
        tools,
        choice,
        body.parallel_tool_calls === true,
      ),
    }),
  }
}

/** The items that are referred to instead of the references. */
function resolved(
  responses: ServerContext["responses"],
  items: readonly (InputItem | OutputItem)[],
): (InputItem | OutputItem)[] {
  let stored: ReturnType<typeof responses.items> | undefined
  return items.map((item) => {
    if (item.type !== "item_reference") return item
    stored ??= responses.items()
    const found = stored.get(item.id)
    if (!found)
      throw badRequest(`input refers to item ${item.id.slice(0, 100)}, which is not stored here`, "input")
    return found
  })
}

/** Items as turns: calls that follow each other, or follow a text of the model, are one turn of it. */
function messagesOf(items: readonly (InputItem | OutputItem)[]): Message[] {
  const messages: Message[] = []
  items.forEach((item, index) => {
    if (item.type === "function_call") {
      const place = `input[${index}].arguments`
      const call = { id: item.call_id, name: item.name, arguments: parseArguments(item.arguments, place) }
      const last = messages.at(-1)
      if (last?.role === "assistant")
        messages[messages.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), call] }
      else messages.push({ role: "assistant", content: "", toolCalls: [call] })
    } else if (item.type === "function_call_output")
      messages.push({ role: "tool", content: joined(item.output), toolCallId: item.call_id })
    else if (item.type === undefined || item.type === "message") {
      const role = item.role === "developer" ? "system" : item.role
      messages.push({ role, content: joined(item.content) })
    }
  })
  return messages
}

function batchesFor({ messages, options, body }: Task, work: Work): Batches {
  checkLength(
    work.llama,
    messages.map(({ content }) => content),
  )
  const generation = work.llama.chat(messages, { ...options, adapter: work.adapter, signal: work.signal })
  const batches = batchesOf(generation, body.stream === true)
  return (body.parallel_tool_calls ?? true) ? batches : oneCallOf(batches)
}

async function writeAll({ writer }: Task, batches: Batches, work: Work): Promise<void> {
  for await (const pieces of batches) {
    work.onPiece()
    writer.write(pieces, work)
  }
  writer.end()
}

function keep({ responses }: ServerContext, { writer, input, body }: Task, cancel?: () => void): void {
  if (body.store === false) return
  responses.put({
    response: writer.response,
    input,
    previous: body.previous_response_id ?? undefined,
    cancel,
  })
}

function eventsOf(context: ServerContext, task: Task, work: Work): EventWriter {
  const { writer } = task
  const text = (event: ResponseEvent) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
  return {
    write: (pieces) => writer.write(pieces, work).map(text).join(""),
    end: () => {
      const last = writer.end()
      keep(context, task) // before it is sent: who reads that may ask for it at once
      work.report(writer.usage.promptTokens, writer.usage.completionTokens)
      return last.map(text).join("")
    },
    fail: (error) => text(writer.failed(error.message)),
  }
}

/** Starts a response that is written whether its client stays or not. */
function inBackground(context: ServerContext, task: Task): Reply {
  const { body, writer } = task
  if (body.stream)
    throw badRequest("a response in the background cannot be streamed here: ask for it with GET", "stream")
  if (body.store === false) throw badRequest("a response in the background has to be stored", "store")
  if (context.gate.closed) throw shuttingDown()
  if (context.gate.isFull)
    throw new ApiError(429, "the server is busy: too many requests are waiting already", {
      code: "queue_full",
      retryAfter: 2,
    })
  context.models.check(body.model)
  const cancelled = new AbortController()
  writer.response = { ...writer.response, status: "queued" }
  const response = writer.response
  keep(context, task, () => cancelled.abort(new ApiError(499, "cancelled", { code: "cancelled" })))
  void write(context, task, cancelled.signal)
  return json(response)
}

async function write(context: ServerContext, task: Task, cancelled: AbortSignal): Promise<void> {
  const { writer, body } = task
  const { id } = writer.response
  try {
    const work = await Work.begin(context, body.model, 1, undefined, cancelled)
    try {
      writer.response = { ...writer.response, status: "in_progress" }
      await writeAll(task, batchesFor(task, work), work)
    } finally {
      work.end()
    }
  } catch (error) {
    if (cancelled.aborted) writer.response = { ...writer.response, status: "cancelled" }
    else writer.failed(toApiError(error).message)
  }
  if (context.responses.has(id)) keep(context, task)
}

export const retrieveResponse = ({ responses }: ServerContext, request: Request, id: string): Reply => {
  if (new URL(request.url).searchParams.get("stream") === "true")
    throw badRequest("stored responses are not streamed again: ask without stream", "stream")
  return json(responses.get(id).response)
}

export function deleteResponse({ responses }: ServerContext, id: string): Reply {
  responses.delete(id)
  return json({ id, object: "response", deleted: true })
}

export function cancelResponse({ responses }: ServerContext, id: string): Reply {
  const stored = responses.get(id)
  if (!stored.response.background) throw badRequest("only responses in the background can be cancelled", "id")
  if (stored.cancel) {
    stored.cancel()
    stored.response = { ...stored.response, status: "cancelled" }
  }
  return json(stored.response)
}

/** The items that a request brought, newest first unless asked otherwise, by pages. */
export function inputItems({ responses }: ServerContext, request: Request, id: string): Reply {
  const { searchParams } = new URL(request.url)
  const limit = Number(searchParams.get("limit") ?? 20)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw badRequest("limit must be 1 to 100", "limit")
  const order = searchParams.get("order") ?? "desc"
  if (order !== "asc" && order !== "desc") throw badRequest('order must be "asc" or "desc"', "order")
  const items = responses.get(id).input.map(listed)
  const ordered = order === "asc" ? items : items.toReversed()
  const after = searchParams.get("after")
  const start = after === null ? 0 : ordered.findIndex((item) => item.id === after) + 1
  if (after !== null && start === 0) throw badRequest("after names no item of this response", "after")
  const data = ordered.slice(start, start + limit)
  return json({
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + limit < ordered.length,
  })
}

/** An item as it is listed: messages have their type, and parts. */
function listed(item: InputItem) {
  if (item.type !== undefined && item.type !== "message") return item
  const type = item.role === "assistant" ? "output_text" : "input_text"
  const content = typeof item.content === "string" ? [{ type, text: item.content }] : item.content
  return { ...item, type: "message", status: "completed", content }
}
