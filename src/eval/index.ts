// Measuring models.
export { addScores, noScore, type ScoreOptions, scoreText, type TextScore } from "./bits-per-byte.js"
