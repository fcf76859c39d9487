// The page's words in the language of the reader.
import { saveSettings, settings } from "../data/settings.svelte.js"
import { english, type Texts } from "./en.js"

const loaders: Readonly<Record<string, () => Promise<{ default: Texts }>>> = {
  de: () => import("./de.js"),
  es: () => import("./es.js"),
  fr: () => import("./fr.js"),
  hi: () => import("./hi.js"),
  it: () => import("./it.js"),
  ja: () => import("./ja.js"),
  pt: () => import("./pt.js"),
  th: () => import("./th.js"),
}

/** By their own names. */
export const languages: Readonly<Record<string, string>> = {
  en: "English",
  de: "Deutsch",
  es: "Español",
  fr: "Français",
  hi: "हिन्दी",
  it: "Italiano",
  ja: "日本語",
  pt: "Português",
  th: "ไทย",
}

const shown: { texts: Texts; language: string } = $state({ texts: english, language: "en" })

/** The words, by key. */
export const t = (): Texts => shown.texts
export const language = (): string => shown.language

export async function setLanguage(code: string): Promise<void> {
  const wanted = code in loaders ? code : "en"
  settings.language = wanted
  saveSettings()
  const texts = wanted === "en" ? english : (await loaders[wanted]()).default
  if (settings.language !== wanted) return // another one was chosen meanwhile
  shown.texts = texts
  shown.language = wanted
  document.documentElement.lang = wanted
}

/** The language of the last visit, else the first of the browser's that the page speaks. */
export async function startTexts(): Promise<void> {
  const wanted = [settings.language, ...navigator.languages.map((tag) => tag.split("-")[0])]
  await setLanguage(wanted.find((code) => code in languages) ?? "en")
}

export const formatBytes = (bytes: number): string => {
  const [value, unit] =
    bytes >= 1e9
      ? [bytes / 1e9, "gigabyte"]
      : bytes >= 1e6
        ? [bytes / 1e6, "megabyte"]
        : [bytes / 1e3, "kilobyte"]
  return new Intl.NumberFormat(shown.language, {
    style: "unit",
    unit,
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value)
}

export const formatNumber = (value: number, digits = 0): string =>
  new Intl.NumberFormat(shown.language, {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  }).format(value)

/** Fills `{name}` in a text. */
export const fill = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
