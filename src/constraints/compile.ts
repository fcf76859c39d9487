// From what a caller writes (a schema, a pattern, a grammar) to one expression over bytes. Needs no vocabulary, so a
// constraint can be checked before it is sent anywhere.
import { InvalidOptionError } from "../errors/index.js"
import { Expressions, type Node } from "./expressions.js"
import { grammarExpression } from "./grammar.js"
import { schemaExpression } from "./json-schema.js"
import { JsonText } from "./json-text.js"
import { regexExpression } from "./regex.js"
import { settle } from "./settle.js"

/** What an answer has to be. */
export type ConstraintOptions =
  /** Any JSON object. */
  | { readonly type: "json_object" }
  /** JSON that is valid under a schema. */
  | { readonly type: "json_schema"; readonly schema: object | boolean }
  /** A text that matches an ECMAScript pattern from end to end. */
  | { readonly type: "regex"; readonly pattern: string }
  /** A text of the rule `root` of a grammar in llama.cpp's GBNF. */
  | { readonly type: "grammar"; readonly grammar: string }

export interface Compiled {
  readonly expressions: Expressions
  readonly root: Node
}

/** @throws InvalidOptionError that says what of the constraint is wrong, not supported, or too large. */
export function compileConstraint(options: ConstraintOptions): Compiled {
  const expressions = new Expressions()
  const root = expressionOf(options, expressions)
  settle(expressions.nodes)
  if (root.dead)
    throw new InvalidOptionError(
      "the constraint allows no text at all: some of its parts contradict each other",
    )
  return { expressions, root }
}

function expressionOf(options: ConstraintOptions, expressions: Expressions): Node {
  switch (options.type) {
    case "json_object":
      return new JsonText(expressions).object
    case "json_schema":
      return schemaExpression(options.schema, expressions)
    case "regex":
      return regexExpression(options.pattern, expressions, {
        character: (ranges) => expressions.characters(ranges),
        match: "whole",
      })
    case "grammar":
      return grammarExpression(options.grammar, expressions)
  }
}
