// The OpenAI-compatible server as a handler of the Fetch API. The listener for Node is in node.ts.
export { ApiError } from "./api-error.js"
export { createHandler, type Handler, type HandlerOptions, type RequestLog } from "./handler.js"
export { hashKey } from "./keys.js"
export { type Lease, type ModelEntry, Models, type ModelsOptions, type Offer } from "./models.js"
