import { mount } from "svelte"
import App from "./App.svelte"
import { startTexts } from "./texts/texts.svelte.js"

await startTexts()
mount(App, { target: document.querySelector("#app")! })
