// Made by scripts/build-browser.mjs: worker.ts with all it needs, kernels included, as the text of one module.
export const workerText: string
