// The calls of tools of one answer, gathered from the parts in which they are written.
import { newId } from "../engine/api-values.js"
import type { Batches } from "../engine/generation.js"
import type { FinishReason, Piece } from "../engine/options.js"

export interface WrittenCall {
  readonly id: string
  readonly name: string
  /** What the text of the arguments is made of. Only of an answer that was cut off or went wrong is it no whole JSON. */
  readonly parts: string[]
}

/** A part of a call; the first one of a call has its id and its name. */
export interface CallPart {
  readonly index: number
  readonly id?: string
  readonly name?: string
  readonly arguments: string
}

/** Only the first call of an answer, where the client can take no more. */
export async function* oneCallOf(batches: Batches): Batches {
  for await (const pieces of batches) yield pieces.map(withOneCall)
}

function withOneCall(piece: Piece): Piece {
  const { toolCallDeltas, toolCalls } = piece
  return {
    ...piece,
    ...(toolCallDeltas && { toolCallDeltas: toolCallDeltas.filter(({ index }) => index === 0) }),
    ...(toolCalls && { toolCalls: toolCalls.slice(0, 1) }),
  }
}

export class WrittenCalls {
  readonly all: WrittenCall[] = []

  /** Takes the parts that a piece brings; returns them with the ids of new calls, which are unique. */
  add({ toolCallDeltas = [] }: Piece): CallPart[] {
    return toolCallDeltas.map(({ index, name, arguments: part }) => {
      if (name === undefined) {
        this.all[index].parts.push(part)
        return { index, arguments: part }
      }
      const id = newId("call_")
      this.all[index] = { id, name, parts: [part] }
      return { index, id, name, arguments: part }
    })
  }

  /** The text of a piece; none where it is a call that was written already but could not be read to its end. */
  textOf({ text, finishReason, toolCalls = [] }: Piece): string {
    return finishReason && this.all.length > toolCalls.length ? "" : text
  }

  /** An answer with calls ends for them, unless it was cut off. */
  reasonOf(reason: FinishReason): FinishReason {
    return reason === "stop" && this.all.length > 0 ? "toolCalls" : reason
  }
}
