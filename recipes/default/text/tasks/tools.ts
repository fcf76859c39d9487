// Calling a function, answering from its result, and leaving functions alone when none is needed.
import type { Example, ExampleMessage, Room, Task } from "./example.js"
import { facts, talk } from "./knowledge.js"

const tool = (name: string, description: string, parameters: Record<string, string>) => ({
  name,
  description,
  parameters: {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(parameters).map(([key, text]) => [key, { type: "string", description: text }]),
    ),
    required: Object.keys(parameters),
  },
})

const tools = {
  weather: tool("get_weather", "Weather of a city now", { city: "Name of the city" }),
  time: tool("get_time", "Time of day in a city", { city: "Name of the city" }),
  calculate: tool("calculate", "Value of an expression", { expression: "Like 2*3" }),
  message: tool("send_message", "Send a message to a person", { to: "Name", text: "What to send" }),
  reminder: tool("set_reminder", "Remind the user", { time: "Like 18:30", text: "Of what" }),
}
export const allTools: readonly unknown[] = Object.values(tools)

interface Call {
  readonly user: string
  readonly tool: keyof typeof tools
  readonly arguments: Record<string, unknown>
  readonly result: unknown
  readonly answer: string
  /** What the answer has to say. */
  readonly must: readonly string[]
}

const clock = (room: Room) =>
  `${String(room.random.between(0, 23)).padStart(2, "0")}:${String(room.random.between(0, 11) * 5).padStart(2, "0")}`

const calls: Readonly<Record<keyof typeof tools, (room: Room) => Call>> = {
  weather: (room) => {
    const { k } = room.cast()
    const { tools: words } = room.language
    const [t, w] = [room.random.between(-5, 35), room.random.pick(words.conditions)]
    return {
      user: room.write(words.weather, { k }),
      tool: "weather",
      arguments: { city: k },
      result: { temperature: t, condition: w },
      answer: room.write(words.weatherAnswer, { k, t, w }),
      must: [String(t), w],
    }
  },
  time: (room) => {
    const { k } = room.cast()
    const t = clock(room)
    const { tools: words } = room.language
    return {
      user: room.write(words.time, { k }),
      tool: "time",
      arguments: { city: k },
      result: { time: t },
      answer: room.write(words.timeAnswer, { k, t }),
      must: [t],
    }
  },
  calculate: (room) => {
    const [x, y] = [room.random.between(11, 99), room.random.between(11, 99)]
    const { tools: words } = room.language
    return {
      user: room.write(words.calculate, { x, y }),
      tool: "calculate",
      arguments: { expression: `${x}*${y}` },
      result: { value: x * y },
      answer: room.write(words.calculateAnswer, { x, y, z: x * y }),
      must: [String(x * y)],
    }
  },
  message: (room) => {
    const cast = room.cast()
    const { tools: words } = room.language
    const text = room.write(words.messageTexts, cast)
    return {
      user: room.around(words.message, { h: cast.h.main, t: text }),
      tool: "message",
      arguments: { to: cast.h.main, text },
      result: { sent: true },
      answer: room.write(words.messageAnswer, cast),
      must: [cast.h.main],
    }
  },
  reminder: (room) => {
    const cast = room.cast()
    const { tools: words } = room.language
    const [text, c] = [room.writeRaw(room.random.pick(words.reminderTexts), cast), clock(room)]
    return {
      user: room.around(words.reminder, { t: text, c }),
      tool: "reminder",
      arguments: { time: c, text },
      result: { set: true },
      answer: room.around(words.reminderAnswer, { t: text, c }),
      must: [c],
    }
  },
}

/** The function that is wanted, among up to two others. */
function offered(room: Room, wanted: keyof typeof tools): unknown[] {
  const others = Object.keys(tools).filter((name) => name !== wanted) as (keyof typeof tools)[]
  const names = [wanted, ...room.random.sample(others, room.random.between(0, 2))]
  return room.random.sample(names, names.length).map((name) => tools[name])
}

const callOf = (room: Room) => calls[room.random.pick(Object.keys(calls) as (keyof typeof tools)[])](room)

const asked = (call: Call): ExampleMessage[] => [
  { role: "user", content: call.user },
  { role: "assistant", toolCalls: [{ name: tools[call.tool].name, arguments: call.arguments }] },
]

export const toolCall: Task = (room): Example => {
  const call = callOf(room)
  return {
    kind: "tool-call",
    language: room.code,
    messages: asked(call),
    tools: offered(room, call.tool),
    checks: [{ type: "call", name: tools[call.tool].name, arguments: call.arguments }],
    rejected: call.answer,
    exact: true,
  }
}

export const toolAnswer: Task = (room): Example => {
  const call = callOf(room)
  return {
    kind: "tool-answer",
    language: room.code,
    messages: [
      ...asked(call),
      { role: "ipython", content: call.result },
      { role: "assistant", content: call.answer },
    ],
    tools: offered(room, call.tool),
    checks: [{ type: "contains", values: call.must }, { type: "no-call" }, room.spoken()],
    exact: true,
  }
}

export const toolNone: Task = (room): Example => {
  const example = room.random.chance(0.5) ? talk(room) : facts(room)
  return {
    ...example,
    kind: "tool-none",
    tools: offered(room, room.random.pick(Object.keys(tools) as (keyof typeof tools)[])),
    checks: [...example.checks, { type: "no-call" }],
  }
}
