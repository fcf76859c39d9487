// The answers of a chat: text that is a call of a tool is held back; its parts come out as they are written, and the
// calls in the last piece.
import { type Tool, ToolCallStream } from "../chat/index.js"
import type { Piece } from "./options.js"

/** The special token that may open a call; a tokenizer leaves it out of the text, but it is part of the turn. */
export interface CallTag {
  readonly text: string
  readonly id: number | undefined
}

/** Passes plain answers through and turns tool calls into `toolCalls`. */
export async function* withToolCalls(
  batches: AsyncIterable<readonly Piece[]>,
  tools: readonly Tool[],
  tag: CallTag,
): AsyncGenerator<readonly Piece[], void, void> {
  const turns = new Map<number, ToolCallStream>()
  for await (const pieces of batches)
    yield pieces.map((piece) => {
      let turn = turns.get(piece.index)
      if (!turn) turns.set(piece.index, (turn = new ToolCallStream(tools)))
      return withCalls(piece, turn, tag)
    })
}

function withCalls(piece: Piece, turn: ToolCallStream, tag: CallTag): Piece {
  const tagged = piece.token !== undefined && piece.token === tag.id
  const text = (tagged ? turn.push(tag.text) : "") + turn.push(piece.text)
  if (!piece.finishReason) {
    const deltas = turn.deltas()
    return { ...piece, text, ...(deltas.length > 0 && { toolCallDeltas: deltas }) }
  }
  const { calls, text: rest } = turn.finish()
  const deltas = turn.deltas()
  return {
    ...piece,
    text: text + rest,
    ...(deltas.length > 0 && { toolCallDeltas: deltas }),
    ...(calls.length > 0 && {
      toolCalls: calls,
      // an answer that was cut off may miss a call: its reason stays what it is
      finishReason: piece.finishReason === "stop" ? "toolCalls" : piece.finishReason,
    }),
  }
}
