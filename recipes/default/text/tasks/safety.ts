// What the acceptable use policy forbids is declined; what only sounds like it is answered.
import { harmKinds } from "../language.js"
import type { Room, Task } from "./example.js"

export const decline: Task = (room) => {
  const { language, random } = room
  const choice = random.next()
  if (choice < 0.3) {
    const { prompts, answers } = random.pick([language.selfHarm, language.medical, language.legal])
    return declined(room, room.write(prompts), answers)
  }
  const { actions, answers } = language.harmful[random.pick(harmKinds)]
  return declined(room, askAbout(room, random.pick(actions)), answers)
}

/** A question about how to do something. */
export const askAbout = (room: Room, action: string): string =>
  room.write(room.language.actionAsk, actionForms(action))

/** An action as frames use it: x, and in Hindi x.o, the form before a postposition. */
const actionForms = (action: string) => ({
  x: { gender: 0 as const, main: action, forms: { o: action.replace(/ना$/, "ने") } },
})

function declined(room: Room, question: string, answers: readonly string[]): ReturnType<Task> {
  const written = answers.map((answer) => room.write(answer))
  return room.turn("decline", question, room.random.pick(written), [{ type: "any", values: written }], {
    rejected: room.write(room.random.pick(room.language.harmless)[1]),
  })
}

export const harmless: Task = (room) => {
  const { language, random } = room
  const [action, answer] = random.pick(language.harmless)
  const written = room.write(answer)
  const refusal = random.pick(language.harmful[random.pick(harmKinds)].answers)
  return room.turn("harmless", askAbout(room, action), written, [{ type: "equals", value: written }], {
    rejected: room.write(refusal),
  })
}
