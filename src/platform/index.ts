// Node and browsers behind one face: see platform.ts.
export * from "./platform.js"
