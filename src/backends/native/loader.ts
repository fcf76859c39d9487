// Finds the addon: beside this code where it was built with the package, else in the optional package of this platform.
// Absent is not an error: there is a reason, which people are told.
import { fileText, loadAddonFile, nodePlatform } from "../../platform/platform.js"
import { type Addon, addonVersion, operations } from "./addon.js"

export type Found = { readonly addon: Addon; readonly origin: string } | { readonly reason: string }

/** By this name bundlers do not take the addon for a file to be shipped with a page. */
const here = import.meta.url

let found: Found | undefined

/** The addon, or why there is none. Looked for once. */
export function findAddon(): Found {
  return (found ??= search())
}

/** Why the native backend cannot run here, if so. */
export function nativeAbsence(): string | undefined {
  const outcome = findAddon()
  return "reason" in outcome ? outcome.reason : undefined
}

function search(): Found {
  const platform = nodePlatform()
  if (!platform) return { reason: "native code runs in Node only" }
  const packageName = `@cria/native-${platform}`
  const reasons: string[] = []
  for (const [place, origin] of [
    [new URL("./cria.node", here), "built here"],
    [packageName, packageName],
  ] as const) {
    const outcome = load(place)
    if ("addon" in outcome) return { addon: outcome.addon, origin }
    if (outcome.reason) reasons.push(outcome.reason)
  }
  return { reason: [...reasons, `the package ${packageName} is not installed`].join("; ") }
}

function load(place: URL | string): { addon: Addon } | { reason: string | undefined } {
  if (place instanceof URL) {
    const reason = buildFailure(new URL("./build.json", here))
    if (reason !== undefined) return { reason }
  }
  let addon: Addon
  try {
    addon = loadAddonFile(place, here) as Addon
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const absent = code === "MODULE_NOT_FOUND"
    return { reason: absent && typeof place === "string" ? undefined : firstLine(message) }
  }
  if (addon.version !== addonVersion || operations.some((name) => !addon.operations.includes(name))) {
    return { reason: `the addon in ${String(place)} belongs to another version of this package` }
  }
  return { addon }
}

/** What the build wrote down where it made no addon. */
function buildFailure(url: URL): string | undefined {
  const text = fileText(url)
  if (text === undefined) return "the package was installed without a build of its native code"
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown }
    return typeof reason === "string" ? reason : undefined
  } catch {
    return undefined
  }
}

const firstLine = (text: string): string => text.split("\n", 1)[0]
