// Work on a given text: answering from it, summarizing, rewriting, correcting, translating, extracting.
import { languageCodes } from "../language.js"
import type { Room, Task } from "./example.js"
import { sentenceIn } from "../sentences.js"
import { writePlot } from "../stories.js"
import { itemOf } from "../repetitions.js"
import { misspell } from "./spelling.js"

/** Slots of one frame: its colour is a name, not an adjective. */
const frameSlots = (room: Room, cast: ReturnType<Room["cast"]>) => ({
  ...cast,
  c: room.random.pick(room.lexicon.colourNames),
})

/** Two to five facts about one person, the first by name; sometimes a second person is mixed in. */
export const passage: Task = (room) => {
  const { language, random } = room
  const cast = room.cast()
  const slots = frameSlots(room, cast)
  const { frames } = language
  const chosen = random.sample(frames.slice(1), random.between(2, 4))
  // frames that say the same thing stand once in a passage
  const own = [frames[0], ...chosen].filter(
    (frame, i, all) => all.findIndex((other) => other.says === frame.says) === i,
  )
  let text = own.map((frame) => room.write(frame.says, slots)).join(room.code === "ja" ? "" : " ")
  const mixed = random.chance(0.3)
  const other = { ...frameSlots(room, room.cast()), h: cast.f, f: cast.h }
  if (mixed) text += (room.code === "ja" ? "" : " ") + room.write(frames[0].says, other)
  const ask = (question: string) => room.around(language.passageAsk, { t: text, q: question })
  if (random.chance(0.2)) {
    const missing = frames.filter((frame) => !own.some((present) => clashes(present.key, frame.key)))
    if (missing.length > 0) {
      const frame = random.pick(missing)
      const answers = language.notSaid.map((line) => room.write(line))
      return room.turn(
        "passage",
        ask(room.write(frame.question, slots)),
        answers[0],
        [{ type: "any", values: answers }],
        {
          rejected: room.write(frame.answer, slots),
          exact: true,
        },
      )
    }
  }
  const second = mixed && random.chance(0.4)
  const frame = second ? frames[0] : random.pick(own)
  const bound = second ? other : slots
  const answer = room.write(frame.answer, bound)
  const wrong = {
    ...frameSlots(room, room.cast()),
    h: bound.h,
    o: frame.key === "day" ? bound.o : room.cast().o,
    a: frame.key === "pet" ? bound.a : room.cast().a,
  }
  return room.turn(
    "passage",
    ask(room.write(frame.question, bound)),
    answer,
    [{ type: "equals", value: answer }],
    {
      rejected: room.write(frame.answer, wrong),
      exact: true,
    },
  )
}

const families = [
  ["pet", "animal"],
  ["thing", "day"],
  ["month", "month2"],
]
/** Whether a passage with the one frame answers the other's question. */
const clashes = (present: string, asked: string) =>
  present === asked || families.some((family) => family.includes(present) && family.includes(asked))

/** A short text and its one sentence: a person, news, or a story. */
export const summary: Task = (room) => {
  const { language, random } = room
  const cast = room.cast()
  const choice = random.next()
  let text: string
  let sentence: string
  let must: string[]
  if (choice < 0.3) {
    const [town, , job] = language.frames
    const dish = language.frames.find(({ key }) => key === "dish")!
    const extra = random.sample(
      language.frames.filter(({ key }) => ["age", "friend", "place", "animal"].includes(key)),
      random.between(0, 2),
    )
    const parts = [town, ...random.sample([job, dish, ...extra], 2 + extra.length)]
    text = parts
      .map((frame) => room.write(frame.says, frameSlots(room, cast)))
      .join(room.code === "ja" ? "" : " ")
    sentence = room.write(language.personSummary, cast)
    must = [cast.h.main, cast.k, cast.j.main]
  } else if (choice < 0.65) {
    const pair = room.pair(language.news, cast)
    text = pair.question
    sentence = pair.answer
    must = [cast.k]
  } else {
    const plot = random.pick(language.plots)
    // the slots of the plot have to be the same in text and summary
    const lines = writePlot(room, plot, cast)
    text = lines.slice(0, 8).join(room.code === "ja" ? "" : " ")
    sentence = room.write(plot.summary, cast)
    must = plot.summary.includes("{h}") ? [cast.h.main] : [cast.a.forms.word]
  }
  return room.turn(
    "summary",
    room.around(language.summaryAsk, { t: text }),
    sentence,
    [
      { type: "contains", values: must },
      { type: "length", most: Math.ceil(sentence.length * 1.2) },
      { type: "sentences", most: 1 },
      room.spoken(),
    ],
    { rejected: text, exact: true },
  )
}

export const formal: Task = (room) => rewrite(room, "formal", room.language.formalAsk, room.language.formal)
export const friendly: Task = (room) =>
  rewrite(room, "friendly", room.language.friendlyAsk, room.language.friendly)

function rewrite(
  room: Room,
  kind: string,
  asks: readonly string[],
  pairs: Room["language"]["formal"],
): ReturnType<Task> {
  const { question, answer } = room.pair(pairs, room.cast())
  return room.turn(kind, room.around(asks, { t: question }), answer, [{ type: "equals", value: answer }], {
    rejected: question,
    exact: true,
  })
}

export const shorten: Task = (room) => {
  const { language, lexicon, random } = room
  let [core] = sentenceIn([lexicon], random)
  while (lexicon.phrases.includes(core)) [core] = sentenceIn([lexicon], random)
  const bare = core.replace(/[.।。]$/, "")
  const small = room.code === "hi" || room.code === "th" || room.code === "ja"
  const inner = small ? bare : bare.charAt(0).toLowerCase() + bare.slice(1)
  const text = room.around(language.wordy, { t: inner })
  return room.turn(
    "shorten",
    room.around(language.shortenAsk, { t: text }),
    core,
    [{ type: "equals", value: core }],
    {
      rejected: text,
      exact: true,
    },
  )
}

export const spelling: Task = (room) => {
  const { language, lexicon, random } = room
  const [right] = sentenceIn([lexicon], random)
  const wrong = misspell(right, room.code, random)
  return room.turn(
    "spelling",
    room.around(language.spellingAsk, { t: wrong }),
    right,
    [{ type: "equals", value: right, cased: true }],
    {
      rejected: wrong,
      exact: true,
    },
  )
}

export const query: Task = (room) => {
  const { language, random } = room
  const [chatty, keywords] = random.pick(language.query)
  const cast = room.cast()
  const answer = room.writeRaw(keywords, cast)
  const text = room.write(chatty, cast)
  return room.turn(
    "query",
    room.around(language.queryAsk, { t: text }),
    answer,
    [{ type: "equals", value: answer }],
    {
      rejected: text,
      exact: true,
    },
  )
}

export const translation: Task = (room) => {
  const { language, lexicon, random } = room
  const code = random.pick(languageCodes.filter((other) => other !== room.code))
  const other = room.others.get(code)!
  const into = random.chance(0.6)
  const [own, foreign] = sentenceIn([lexicon, other.lexicon], random)
  const [from, to] = into ? [own, foreign] : [foreign, own]
  const question = room.around(language.translateAsk, {
    t: from,
    l: language.languageNames[into ? code : room.code],
  })
  return room.turn("translation", question, to, [{ type: "equals", value: to }], {
    rejected: from,
    exact: true,
  })
}

export const json: Task = (room) => {
  const { language, random } = room
  const cast = { ...room.cast(), n: random.between(6, 80) }
  const value = { name: cast.h.main, age: cast.n, city: cast.k }
  const text = room.write(language.jsonText, cast)
  const answer = `{"name": "${value.name}", "age": ${value.age}, "city": "${value.city}"}`
  return room.turn("json", room.around(language.jsonAsk, { t: text }), answer, [{ type: "json", value }], {
    rejected: `${value.name}, ${value.age}, ${value.city}`,
    exact: true,
  })
}

/** A sentence, or a list of words, letters or numbers, said again. */
export const repeat: Task = (room) => {
  const { language, lexicon, random } = room
  const item = itemOf(room.code, lexicon.phrases, random)
  const text = random.chance(0.4)
    ? sentenceIn([lexicon], random)[0]
    : Array.from({ length: random.between(1, 6) }, item).join(random.pick([" ", ", "]))
  return room.turn(
    "repeat",
    room.around(language.repeatAsk, { t: text }),
    text,
    [{ type: "equals", value: text, cased: true }],
    { exact: true },
  )
}
