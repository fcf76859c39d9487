import { english, type Texts } from "./en.js"
const texts: Texts = english
export default texts
