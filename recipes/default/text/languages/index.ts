// All nine languages by code.
import type { Language, LanguageCode } from "../language.js"
import { de } from "./de.js"
import { en } from "./en.js"
import { es } from "./es.js"
import { fr } from "./fr.js"
import { hi } from "./hi.js"
import { it } from "./it.js"
import { ja } from "./ja.js"
import { pt } from "./pt.js"
import { th } from "./th.js"

export const languages: Readonly<Record<LanguageCode, Language>> = { en, de, fr, it, pt, es, hi, th, ja }
