// Stories and everyday texts: for pretraining as they are, and as answers of the story task.
import type { Plot } from "./language.js"
import type { Example, Room, Task } from "./tasks/example.js"
import { sentenceIn } from "./sentences.js"

type Cast = ReturnType<Room["cast"]>

/** The sentences of a plot for one cast. */
export function writePlot(room: Room, plot: Plot, cast: Cast): string[] {
  return plot.lines.map((line) => room.write(line, cast)).filter((line) => line !== "")
}

interface Story {
  readonly about: string
  /** The first sentences, and the others. */
  readonly lines: readonly string[]
}

export function writeStory(room: Room, cast = room.cast()): Story {
  const { language, random } = room
  const plot = random.pick(language.plots)
  const { openings: all } = language
  const openings = plot.ownTime === true ? [all[0], all[2]] : all
  // a plot of animals has no person to introduce
  const opening = plot.summary.includes("{h}") ? [room.write(openings, cast)] : []
  const ending = plot.summary.includes("{h}") ? room.write(language.endings, cast) : ""
  const lines = [...opening, ...writePlot(room, plot, cast), ...(ending === "" ? [] : [ending])]
  return { about: room.writeRaw(plot.about, cast), lines }
}

const joinOf = (room: Room) => (room.code === "ja" ? "" : " ")

/** Lines as paragraphs of two to four sentences. */
function paragraphs(room: Room, lines: readonly string[]): string {
  const parts: string[] = []
  for (let at = 0; at < lines.length; ) {
    const count = room.random.between(2, 4)
    parts.push(lines.slice(at, at + count).join(joinOf(room)))
    at += count
  }
  return parts.join("\n")
}

export const storyText = (room: Room): string => paragraphs(room, writeStory(room).lines)

/** A story on demand, or the rest of one whose beginning is given. */
export const story: Task = (room): Example => {
  const { language, random } = room
  const cast = room.cast()
  const told = writeStory(room, cast)
  if (random.chance(0.35)) {
    const given = told.lines.slice(0, random.between(2, 3))
    const rest = told.lines.slice(given.length).join(joinOf(room))
    const question = room.around(language.storyContinue, { t: given.join(joinOf(room)) })
    return room.turn("story", question, rest, [room.spoken(), { type: "length", least: 120 }], {
      exact: true,
    })
  }
  const asked = random.chance(0.35)
    ? room.write(language.storyAsk)
    : room.around(language.storyAbout, { t: told.about })
  return room.turn("story", asked, told.lines.join(joinOf(room)), [
    room.spoken(),
    { type: "length", least: 120 },
  ])
}

/** One short text of everyday life: a dialogue, a scene, facts, or simple sentences. */
export function everydayText(room: Room): string {
  const { language, lexicon, random } = room
  const cast = room.cast()
  const choice = random.next()
  if (choice < 0.3) return room.write(language.dialogues, cast)
  if (choice < 0.65) {
    const scene = random.pick(language.scenes)
    const kept = scene.filter(() => random.chance(0.8))
    return kept.map((line) => room.write(line, cast)).join(joinOf(room))
  }
  if (choice < 0.8) return Array.from({ length: 8 }, () => sentenceIn([lexicon], random)[0]).join("\n")
  return Array.from({ length: 6 }, () => factSentence(room)).join(joinOf(room))
}

function factSentence(room: Room): string {
  const { language, lexicon, random } = room
  const choice = random.next()
  const { country, capital, continent } = random.pick(lexicon.countries)
  const [x, y] = random.pick(lexicon.opposites)
  if (choice < 0.3) return room.write(language.capital.says, { c: country, k: capital })
  if (choice < 0.45) return room.write(language.continent.says, { c: country, t: continent })
  if (choice < 0.6) return room.write(language.opposite.says, { x, y })
  return room.write(random.pick(language.facts)[1])
}
