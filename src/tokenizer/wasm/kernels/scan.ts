// Runs the automata of the pre-tokenizer, see pattern/scanner.ts, which makes their classes and states as they are
// met.

/** Makes what a stage lacks: the class of the character (-1 is the end of the text), or the entry for it in the row. */
// @ts-ignore: decorator
@external("host", "explore") declare function explore(stage: u32, row: u32, point: i32): void

/** Bytes of a stage's record: address of the classes, address of the table. */
const STAGE_SHIFT = 3
const ROW_SHIFT = 8
const END_OF_TEXT = 255
const UNKNOWN = -1

let stages: usize = 0
export let stageCount: u32 = 0
/** Where the last call of `next` stopped reading. */
export let reach: usize = 0

export function setAutomata(address: usize, count: u32): void {
  stages = address
  stageCount = count
}

/**
 * The end of the stage's match that starts at `start`, or 0 where there is none. [start, end) is valid UTF-8 that
 * starts at a character.
 */
export function next(stage: u32, start: usize, end: usize): usize {
  const classes = load<usize>(stages + (stage << STAGE_SHIFT))
  const table = load<usize>(stages + (stage << STAGE_SHIFT), 4)
  let row: u32 = 1 << ROW_SHIFT
  let at = start
  let match: usize = 0
  while (true) {
    let point = -1
    let width: u32 = 0
    let kind: u32 = END_OF_TEXT
    if (at < end) {
      point = load<u8>(at)
      width = 1
      if (point >= 0x80) {
        const second: i32 = load<u8>(at, 1) & 0x3f
        if (point < 0xe0) {
          point = ((point & 0x1f) << 6) | second
          width = 2
        } else {
          const third: i32 = load<u8>(at, 2) & 0x3f
          if (point < 0xf0) {
            point = ((point & 0xf) << 12) | (second << 6) | third
            width = 3
          } else {
            point = ((point & 7) << 18) | (second << 12) | (third << 6) | i32(load<u8>(at, 3) & 0x3f)
            width = 4
          }
        }
      }
      kind = load<u8>(classes + point)
    }
    let entry = load<i32>(table + ((row | kind) << 2))
    while (entry == UNKNOWN) {
      explore(stage, row, point)
      if (at < end) kind = load<u8>(classes + point)
      entry = load<i32>(table + ((row | kind) << 2))
    }
    if (entry & 1) match = at
    row = entry >> 1
    if (row == 0) break
    at += width
  }
  reach = at
  return match
}
