// The request of /v1/responses and its items, as OpenAI's API has them.
import * as z from "zod"
import {
  functionName,
  jsonObject,
  modelName,
  responseTool,
  responseToolChoice,
  samplingFields,
  textContent,
  textFormat,
} from "./schemas.js"

const itemId = z.string().max(256).nullish()
const text = z.string().max(16_000_000)

const messageItem = z.looseObject({
  type: z.literal("message").optional(),
  id: itemId,
  role: z.enum(["user", "system", "developer", "assistant"]),
  content: textContent,
})
const typedItem = z.discriminatedUnion(
  "type",
  [
    z.looseObject({
      type: z.literal("function_call"),
      id: itemId,
      call_id: z.string().max(256),
      name: functionName,
      arguments: text,
    }),
    z.looseObject({
      type: z.literal("function_call_output"),
      id: itemId,
      call_id: z.string().max(256),
      output: textContent,
    }),
    z.looseObject({ type: z.literal("item_reference"), id: z.string().max(256) }),
    z.looseObject({ type: z.literal("reasoning"), id: itemId }),
  ],
  "type must be one of message, function_call, function_call_output, item_reference, reasoning",
)

export const inputItem = z.union([messageItem, typedItem]).meta({ id: "InputItem" })
export type InputItem = z.output<typeof inputItem>

export const responseRequest = z
  .looseObject({
    model: modelName,
    input: z.union([text, z.array(inputItem).max(20_000)], "must be a text or an array of items").nullish(),
    instructions: text.nullish(),
    previous_response_id: z.string().max(256).nullish(),
    ...samplingFields,
    max_output_tokens: z
      .number()
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .nullish(),
    tools: z.array(responseTool).max(512).nullish(),
    tool_choice: responseToolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    text: z.looseObject({ format: textFormat.nullish() }).nullish(),
    include: z.array(z.string().max(100)).max(20).nullish(),
    top_logprobs: z.number().int().min(0).max(20).nullish(),
    truncation: z.enum(["auto", "disabled"]).nullish(),
    stream: z.boolean().nullish(),
    store: z.boolean().nullish(),
    background: z.boolean().nullish(),
    metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
    conversation: z.null("conversations are not kept here: pass previous_response_id").optional(),
    prompt: z.null("there are no stored prompts here: pass instructions and input").optional(),
    reasoning: jsonObject.nullish(),
  })
  .meta({ id: "ResponseRequest" })
export type ResponseRequest = z.output<typeof responseRequest>
