// Addresses as a page means them.
import { InvalidOptionError } from "../errors/index.js"

/** A URL seen from the page's own. @throws InvalidOptionError. */
export function absoluteUrl(url: string | URL): string {
  const base = (globalThis as { document?: { baseURI?: string } }).document?.baseURI ?? location.href
  let parsed: URL
  try {
    parsed = new URL(url, base)
  } catch (error) {
    throw new InvalidOptionError(`${String(url).slice(0, 200)} is not a URL`, { cause: error })
  }
  if (!/^(https?|blob):$/.test(parsed.protocol))
    throw new InvalidOptionError(`models come by http, https or blob URLs, not by ${parsed.protocol}`)
  return parsed.href
}
