// The string formats of JSON Schema as patterns. Where a standard allows more than anyone writes, these are narrower:
// what they let through is always valid.

const day =
  "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))"
const leapYear = "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
const date = `(?:\\d{4}-${day}|${leapYear}-02-29)`
const clock = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?"
const offset = "(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
const byte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
const hostname = `${label}(?:\\.${label}){0,3}`
const atom = "[A-Za-z0-9_'+-]+"
const domain = "[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
const hex4 = "[0-9a-fA-F]{1,4}"
const ipv6 = [
  `(?:${hex4}:){7}${hex4}`,
  ...Array.from({ length: 7 }, (_, left) => {
    const right = 6 - left
    const before = left === 0 ? "" : `${hex4}(?::${hex4}){0,${left - 1}}`
    return right === 0 ? `${before}::` : `${before}::(?:${hex4}(?::${hex4}){0,${right - 1}})?`
  }),
].join("|")
const uriCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})"
const tail = `(?:/${uriCharacter}*)*(?:\\?(?:${uriCharacter}|[/?])*)?(?:#(?:${uriCharacter}|[/?])*)?`
const uri = `[a-z][a-z0-9+-]{1,15}://${hostname}(?::[1-9]\\d{0,3})?${tail}`
const number = "\\d{1,9}"
const time = `T(?:${number}H(?:${number}M)?(?:${number}S)?|${number}M(?:${number}S)?|${number}S)`
const duration = `P(?:${number}W|(?:${number}Y(?:${number}M)?(?:${number}D)?|${number}M(?:${number}D)?|${number}D)(?:${time})?|${time})`
const base64 = "[A-Za-z0-9+/]"

export const formatPatterns: ReadonlyMap<string, string> = new Map([
  ["date", date],
  ["time", `${clock}${offset}`],
  ["date-time", `${date}T${clock}${offset}`],
  ["duration", duration],
  ["email", `${atom}(?:\\.${atom})*@(?:${domain}\\.)+[A-Za-z]{2,}`],
  ["hostname", hostname],
  ["ipv4", `${byte}(?:\\.${byte}){3}`],
  ["ipv6", `(?:${ipv6})`],
  ["uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"],
  ["uri", uri],
  ["url", `(?:https?|ftp)://(?:${domain}\\.)+[a-z]{2,}${tail}`],
  ["uri-reference", `(?:${uri}|${tail})`],
  ["json-pointer", "(?:/(?:[^/~]|~[01])*)*"],
  ["base64", `(?:${base64}{4})*(?:${base64}{2}==|${base64}{3}=)?`],
])

/** Formats that say how a value is to be shown or stored, and allow every value of the type. */
export const harmlessFormats: ReadonlySet<string> = new Set([
  "password",
  "binary",
  "byte",
  "int32",
  "int64",
  "float",
  "double",
  "decimal",
])
