export { recording, Tape, type Gradients, type Seed } from "./tape.js"
