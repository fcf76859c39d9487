// Numbers, amounts and tables for people. Pure functions: knows neither terminal nor stream.

/** Bytes as disks and hubs count them: 512 B, 771 MB, 2.47 GB. */
export function bytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`
  let value = count
  let unit = -1
  while (value >= 999.5 && unit < 4) {
    value /= 1000
    unit++
  }
  return `${value.toPrecision(3)} ${["kB", "MB", "GB", "TB", "PB"][unit]}`
}

/** A whole number with its thousands apart: 128,256. */
export const count = (value: number): string => value.toLocaleString("en-US")

/** "1 token", "2 tokens". */
export const plural = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? "" : "s"}`

/** Large counts of parameters: 260K, 1.24B. */
export function parameters(value: number): string {
  for (const [unit, size] of [
    ["T", 1e12],
    ["B", 1e9],
    ["M", 1e6],
    ["K", 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)}${unit}`
  }
  return String(value)
}

/** Seconds as people say them: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?"
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  if (seconds < 59.5) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`
}

/** A rate with three digits that matter: 0.52, 9.13, 31.4, 512. */
export function rate(value: number): string {
  if (!Number.isFinite(value) || value < 0) return "?"
  return value >= 100 ? count(Math.round(value)) : value.toPrecision(3)
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const zero = /[\p{Mn}\p{Me}\p{Cf}]/u
// oxlint-disable-next-line no-control-regex -- the escape sequences of colours are what is taken out
const colour = /\u001b\[[0-9;]*m/g

/** Columns that a text takes on a terminal: wide characters count two, combining ones and colours none. */
export function width(text: string): number {
  let columns = 0
  for (const character of text.replace(colour, "")) {
    if (!zero.test(character)) columns += wide.test(character) ? 2 : 1
  }
  return columns
}

/** The beginning of a text that fits into `columns`, with an ellipsis where something was cut. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = ""
  let used = 0
  for (const character of text) {
    const size = width(character)
    if (used + size > columns - 1) break
    kept += character
    used += size
  }
  return columns < 1 ? "" : `${kept}…`
}

/** Rows in columns; those named in `right` are aligned to the right. No trailing spaces. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = " ".repeat(widths[column] - width(cell))
        return right.includes(column) ? space + cell : cell + space
      })
      .join("  ")
      .trimEnd(),
  )
}

/**
 * A text from outside, made harmless for a terminal: control characters other than tab and newline, which could
 * move the cursor, rewrite the screen or the clipboard, become visible signs. Neither does it reverse the line.
 */
export function harmless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : "�"
  })
}

/** Same, for a single line: tabs and newlines become spaces. */
export const oneLine = (text: string): string => harmless(text.replace(/[\t\r\n\u2028\u2029]+/g, " "))
