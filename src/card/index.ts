// Model cards, and the record of training that they are written from.
export { type About, aboutFrom, type EvaluationTable, tablesFrom } from "./about.js"
export { type CardFacts, cardMark, modelCard } from "./card.js"
export { publishedLlama32 } from "./published.js"
export { readStages, type Stage, stagesFile, writeStages } from "./stages.js"
