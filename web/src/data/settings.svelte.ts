// What the user has chosen, kept in this browser.
import type { Parameters } from "../model/engine.js"

export interface Settings {
  theme: "auto" | "light" | "dark"
  language: string
  system: string
  parameters: Parameters
  probabilities: boolean
  /** The model of the last visit. */
  where: "server" | "browser" | undefined
  model: string | undefined
  /** The server's key, where it asks for one. */
  key: string
}

export const usualParameters: Readonly<Parameters> = {
  temperature: null,
  topP: null,
  minP: 0,
  repetitionPenalty: 1,
  maxTokens: 1024,
  seed: null,
}

const usual: Settings = {
  theme: "auto",
  language: "",
  system: "",
  parameters: { ...usualParameters },
  probabilities: false,
  where: undefined,
  model: undefined,
  key: "",
}

const place = "cria-settings"

function load(): Settings {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? "{}") as Partial<Settings>
    return { ...usual, ...kept, parameters: { ...usualParameters, ...kept.parameters } }
  } catch {
    return { ...usual } // somebody else's, or of another time
  }
}

export const settings: Settings = $state(load())

export function saveSettings(): void {
  localStorage.setItem(place, JSON.stringify(settings))
}
