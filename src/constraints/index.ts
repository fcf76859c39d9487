// Answers that have to be of a certain form: JSON under a schema, a pattern, a grammar.
export { type Compiled, compileConstraint, type ConstraintOptions } from "./compile.js"
export { Constraint, type ConstraintState } from "./constraint.js"
export { type TokenBytes, TokenTrie } from "./token-trie.js"
